// Accounts, devices and webhooks.
"use strict";

const ROLES = { officer: "Cán bộ", supervisor: "Giám sát", administrator: "Quản trị" };
const DEVICES = { kiosk: "Kiosk", counter: "Chương trình tại quầy", display: "Màn hình" };
const me = by("accounts").dataset.me;

async function sure(title, words, yes) {
  text("sure-title", title);
  text("sure-text", words);
  text("sure-yes", yes);
  return ask("sure-dialog");
}
async function change(path, body, done) {
  const { ok, data } = await send(path, body);
  if (ok && done) toast(done);
  await load();
  return ok ? data : null;
}
function showSecret(title, secret) {
  text("secret-title", title);
  by("secret").value = secret;
  by("secret-dialog").showModal();
  by("secret").select();
}

function roleSelect(account) {
  const select = el("select");
  select.setAttribute("aria-label", `Vai trò của ${account.name}`);
  for (const [role, title] of Object.entries(ROLES)) {
    const option = el("option", "", title);
    option.value = role;
    option.selected = role === account.role;
    select.append(option);
  }
  select.onchange = () => change("accounts/role", { name: account.name, role: select.value }, `${account.name}: ${ROLES[select.value]}`);
  return select;
}

async function resetPassword(account) {
  text("password-who", account.name);
  by("new-password").value = "";
  if (await ask("password-dialog")) await change("accounts/password", { name: account.name, password: by("new-password").value }, "Đã đặt lại mật khẩu.");
  by("new-password").value = "";
}

async function disable(account) {
  const now = !account.disabled;
  if (now && !(await sure(`Khóa tài khoản ${account.name}?`, "Người này bị đăng xuất ngay và không đăng nhập được nữa.", "Khóa"))) return;
  await change("accounts/disabled", { name: account.name, disabled: now }, now ? "Đã khóa." : "Đã mở khóa.");
}

function accountRow(account) {
  const deeds = el("td", "deeds", button("Đặt lại mật khẩu", () => resetPassword(account)));
  if (account.name !== me) deeds.append(button(account.disabled ? "Mở khóa" : "Khóa", () => disable(account)));
  for (const node of deeds.children) node.setAttribute("aria-label", `${node.textContent}: ${account.name}`);
  const status = account.disabled ? el("span", "chip", "Đã khóa") : account.signed_in ? el("span", "chip green", "Đang đăng nhập") : "";
  return cells(el("tr", account.disabled ? "none" : ""), heading(account.shown), account.name, el("td", "", roleSelect(account)), el("td", "", status), deeds);
}

function deviceItem(device) {
  const item = el("li", device.revoked_at ? "gone" : "", el("b", "", device.name), el("span", "what", `${DEVICES[device.role]} · từ ${dayFormat.format(new Date(device.since))}${device.revoked_at ? " · đã thu hồi" : ""}`));
  if (!device.revoked_at) {
    const revoke = button("Thu hồi", async () => {
      if (await sure(`Thu hồi mã của ${device.name}?`, "Thiết bị ngừng hoạt động cho đến khi có mã mới.", "Thu hồi")) await change("devices", { name: device.name, revoke: true }, "Đã thu hồi.");
    });
    revoke.setAttribute("aria-label", `Thu hồi: ${device.name}`);
    item.append(revoke);
  }
  return item;
}

function webhookItem(hook) {
  const state = hook.failures ? `${hook.failures} lần gửi hỏng liên tiếp, còn ${hook.behind} sự kiện` : hook.behind ? `còn ${hook.behind} sự kiện` : "đã gửi hết";
  const remove = button("Bỏ", async () => {
    if (await sure("Bỏ địa chỉ này?", hook.url, "Bỏ")) await change("webhooks", { url: hook.url, remove: true }, "Đã bỏ.");
  });
  remove.setAttribute("aria-label", `Bỏ: ${hook.url}`);
  return el("li", hook.failures ? "away" : "", el("b", "", hook.url), el("span", "what", `${hook.kinds || "mọi sự kiện"} · ${state}`), remove);
}

async function load() {
  const found = await look("accounts");
  by("accounts").replaceChildren(...found.accounts.map(accountRow));
  by("devices").replaceChildren(...found.devices.map(deviceItem));
  by("webhooks").replaceChildren(...found.webhooks.map(webhookItem));
  by("no-devices").hidden = found.devices.length > 0;
  by("no-webhooks").hidden = found.webhooks.length > 0;
}

by("add").onsubmit = async (event) => {
  event.preventDefault();
  const [name, shown, role, password] = ["name", "shown", "role", "password"].map((id) => by(id).value);
  if (await change("accounts/add", { name, shown, role, password }, `Đã thêm ${name}.`)) event.target.reset();
};
by("add-device").onsubmit = async (event) => {
  event.preventDefault();
  const name = by("device-name").value;
  const given = await change("devices", { name, role: by("device-role").value });
  if (given) { event.target.reset(); showSecret(`Mã truy cập của ${name}`, given.token); }
};
by("add-webhook").onsubmit = async (event) => {
  event.preventDefault();
  const given = await change("webhooks", { url: by("url").value, kinds: by("kinds").value });
  if (given) { event.target.reset(); showSecret("Khóa ký của webhook", given.secret); }
};
load();
