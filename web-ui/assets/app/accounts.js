/*
 * Accounts: own password and second factor for everybody; sessions and accounts
 * for those who may.
 */
const ROLES = ["viewer", "operator", "technician", "soc-admin", "auditor", "outsourced"];

function ownCard() {
	const done = el("div", {});
	const totp = el("div", {});
	const begin = async () => attempt(totp, async () => {
		const begun = await call("POST", "/api/totp/begin");
		totp.replaceChildren(enrolForm(begun, async () =>
			totp.replaceChildren(notice("ok", t("totp.done")))));
		totp.querySelector("input").focus();
	});
	const days = session.password_days;
	return [card(t("accounts.own"), facts([
		[t("login.name"), session.name], [t("accounts.role"), tOr("role." + session.role, session.role)],
		days !== null && days !== undefined ? [t("accounts.expires"), t("accounts.days", { n: days })] : null,
	]), session.password_warning ? notice("warn", t("accounts.warn")) : null),
	card(t("password.title"), passwordForm(async () =>
		done.replaceChildren(notice("ok", t("password.done")))), done),
	card(t("totp.title"), el("p", {}, t("totp.why")), el("div", { class: "buttons" },
		button(t("totp.begin"), begin, "")), totp)];
}

async function sessionsCard() {
	const answer = await call("GET", "/api/sessions");
	const place = el("div", {});
	const end = async (id) => {
		if (await attempt(place, () => call("POST", "/api/session/end", { body: { id } })))
			showPage(false);
	};
	return card(t("sessions.title"), table([t("login.name"), t("accounts.role"), t("sessions.source"),
		t("sessions.age"), t("sessions.idle"), ""], (answer.sessions || []).map((s) => [s.name,
		tOr("role." + s.role, s.role), el("code", {}, s.source), spanText(s.age_s), spanText(s.idle_s),
		s.own ? stateWord("off", t("sessions.own")) : may("POST", "/api/session/end")
			? button(t("sessions.end"), () => end(s.id), "", { "aria-label": t("sessions.end") + " " + s.name }) : ""]),
	{ "aria-label": t("sessions.title") }), place);
}

/* A first password is shown once, in a dialog that must be closed. */
function showFirstPassword(name, word) {
	return ask(t("accounts.first", { name }), el("div", {}, el("p", {}, t("accounts.first-text")),
		el("p", {}, el("code", { class: "secret" }, word))), t("do.written-down"));
}

function accountState(a) {
	if (a.disabled)
		return stateWord("bad", t("accounts.disabled"));
	if (a.locked_sources)
		return stateWord("warn", t("accounts.locked"));
	if (a.must && a.must !== "nothing")
		return stateWord("warn", tOr("accounts.must-" + a.must, a.must));
	return stateWord("ok", t("accounts.active"));
}

function accountButtons(a, place) {
	const act = async (path, body, then) => {
		if (await attempt(place, async () => {
			const answer = await call("POST", "/api/account/" + path, { body: { name: a.name, ...body } });
			if (then)
				await then(answer);
		}))
			showPage(false);
	};
	const sure = async (key, path, body, then) => {
		if (await ask(t("accounts." + key) + ": " + a.name, el("p", {}, t("accounts." + key + "-text")),
			t("accounts." + key), "danger"))
			act(path, body, then);
	};
	const label = (key) => ({ "aria-label": t("accounts." + key) + " " + a.name });
	const role = el("select", { "aria-label": t("accounts.role") + " " + a.name,
		onchange: () => act("role", { role: role.value }) },
	ROLES.map((r) => el("option", { value: r, selected: r === a.role }, t("role." + r))));
	const shown = (answer) => showFirstPassword(answer.name, answer.password);
	return el("div", { class: "buttons small" }, role,
		a.locked_sources ? button(t("accounts.unlock"), () => act("unlock"), "", label("unlock")) : null,
		button(t("accounts.reset"), () => sure("reset", "reset", { totp: true }, shown), "", label("reset")),
		a.disabled ? button(t("accounts.enable"), () => act("enable"), "", label("enable"))
			: button(t("accounts.disable"), () => sure("disable", "disable"), "", label("disable")),
		button(t("accounts.delete"), () => sure("delete", "delete"), "", label("delete")));
}

function createForm() {
	const name = el("input", { maxlength: "32", autocomplete: "off", autocapitalize: "none", spellcheck: "false" });
	const role = el("select", {}, ROLES.map((r) => el("option", { value: r }, t("role." + r))));
	return el("div", { class: "sub" }, el("h3", {}, t("accounts.create")), callForm([
		field(t("login.name"), name, t("accounts.name-hint")),
		field(t("accounts.role"), role, t("accounts.role-hint")),
	], t("accounts.create"), async () => {
		if (!filled(name))
			return;
		const answer = await call("POST", "/api/account/create",
			{ body: { name: name.value.trim(), role: role.value }, what: t("wait.password") });
		await showFirstPassword(answer.name, answer.password);
		showPage(false);
	}));
}

async function accountsCard() {
	const answer = await call("GET", "/api/accounts");
	const place = el("div", {});
	const change = may("POST", "/api/account/create");
	return card(t("accounts.all"), table([t("login.name"), t("accounts.role"), t("accounts.state"),
		t("accounts.totp"), t("accounts.last"), change ? t("accounts.change") : ""],
	(answer.accounts || []).map((a) => [a.name, tOr("role." + a.role, a.role), accountState(a),
		a.totp ? t("yes") : t("no"), a.last_login_s ? timeText(a.last_login_s) : t("accounts.never"),
		change ? accountButtons(a, place) : ""]), { "aria-label": t("accounts.all") }), place,
	change ? createForm() : null);
}

async function showAccounts() {
	return [el("h1", {}, t("nav.accounts")), ownCard(),
		may("GET", "/api/sessions") ? await sessionsCard() : null,
		may("GET", "/api/accounts") ? await accountsCard() : null];
}
