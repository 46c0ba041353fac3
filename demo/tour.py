"""The tour: five scripted visits and a report of what they left with the citizen, the queue and the TTHC system."""

import json
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pikepdf

from demo import visits
from kiosk.visit import Outcome

if TYPE_CHECKING:
    from demo.stage import Stage


async def play(stage: "Stage") -> int:
    """Play all visits, write report.json and the received PDFs; 0 if every visit ended as scripted."""
    as_scripted = [
        await stage.visit("take-ticket", visits.take_a_number, Outcome.COMPLETED),
        await stage.visit("keep-appointment", visits.keep_an_appointment, Outcome.COMPLETED),
        await stage.visit("file-dossier", visits.file_a_dossier, Outcome.COMPLETED),
    ]
    dossiers = await _received(stage)
    if dossiers:
        script = visits.look_up(dossiers[0]["dossierNo"], dossiers[0]["applicantIdNo"])
        as_scripted.append(await stage.visit("look-up", script, Outcome.COMPLETED))
    as_scripted.append(await stage.visit("walk-away", visits.walk_away, Outcome.TIMED_OUT))
    report = {
        "visits": [visit.as_json() for visit in stage.visits],
        "tthc": {"dossiers": dossiers},
        "queue": {"tickets": await stage.tickets()},
    }
    text = json.dumps(report, ensure_ascii=False, indent=2)
    (stage.folder / "report.json").write_text(text + "\n", "utf-8")
    print(_summary(stage, dossiers), flush=True)
    return 0 if all(as_scripted) and len(as_scripted) == 5 else 1


async def _received(stage: "Stage") -> list[dict[str, Any]]:
    """What the TTHC system has, its PDFs copied into the folder of the tour."""
    listed = (await stage.tthc("dossiers")).json()["data"]
    dossiers = []
    for dossier in listed:
        files = []
        for file in dossier["files"]:
            if not file["name"].endswith(".pdf"):
                continue  # the evidence of identity
            path = f"dossiers/{dossier['referenceUid']}/files/{file['referenceUid']}"
            content = (await stage.tthc(path)).content
            (stage.folder / Path(file["name"]).name).write_bytes(content)
            with pikepdf.open(BytesIO(content)) as pdf:
                files.append({"name": file["name"], "pages": len(pdf.pages), "bytes": len(content)})
        dossiers.append(
            {
                "referenceUid": dossier["referenceUid"],
                "dossierNo": dossier["dossierNo"],
                "status": dossier["dossierStatus"],
                "applicantIdNo": dossier["applicantIdNo"],
                "files": files,
                "reused": dossier["reused"],
            }
        )
    return dossiers


def _summary(stage: "Stage", dossiers: list[dict[str, Any]]) -> str:
    lines = [f"{v.name:14} {v.outcome:12} {v.seconds:5.1f} s  {len(v.screens)} screens" for v in stage.visits]
    pages = sum(f["pages"] for d in dossiers for f in d["files"])
    lines.append(f"TTHC system: {len(dossiers)} dossier(s), {pages} page(s). Pictures and report: {stage.folder}")
    return "\n".join(lines)
