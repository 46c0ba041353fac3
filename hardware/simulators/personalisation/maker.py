"""A whole card: files, keys, chip and traits of one person put together."""

from collections.abc import Mapping
from dataclasses import replace

from hardware.card.mapping import Mapping as PaceMapping
from hardware.simulators.personalisation.applet import Applet
from hardware.simulators.personalisation.chip_keys import card_security_infos
from hardware.simulators.personalisation.files import card_files
from hardware.simulators.personalisation.issuer import Issuer
from hardware.simulators.personalisation.master_file import CARD_SECURITY
from hardware.simulators.personalisation.pace import PaceProfile
from hardware.simulators.personalisation.person import Personalisation


def make_card(person: Personalisation, issuer: Issuer, quirk: str = "") -> Applet:
    """The person's card, issued by `issuer`, with one more quirk of `traits.ALL_QUIRKS` if given. Takes a moment."""
    if quirk:
        person = replace(person, chip=person.chip.with_quirk(quirk))
    chip, holder, traits = person.chip, person.personal_id, person.chip.traits()
    issuer = issuer.variant(chip.issuer)
    files = card_files(person, issuer)
    return Applet(
        files,
        person.key,
        chip.profile(holder, clone=traits.cloned),
        secrets=chip.secrets(holder, clone=traits.cloned),
        traits=traits,
        root=_root(chip.profile(holder), issuer),
    )


def _root(pace: PaceProfile | None, issuer: Issuer) -> Mapping[int, bytes]:
    """EF.CardSecurity, where PACE maps with chip authentication."""
    if pace is None or pace.mapping is not PaceMapping.CHIP_AUTHENTICATION:
        return {}
    return {CARD_SECURITY: issuer.sign_card_security(card_security_infos(pace))}
