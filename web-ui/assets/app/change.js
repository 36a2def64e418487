/*
 * Change: from the draft to the policy in force. Five steps on one page: what
 * changes, what the level profile says, the file to sign, the signed file, and
 * apply with confirmation.
 */
const upload = { bundle: null, name: "", bytes: null };

function resetChange() {
	Object.assign(upload, { bundle: null, name: "", bytes: null });
}

const SIGN_WORDS = { "+": ["ok", "diff.new"], "-": ["bad", "diff.gone"], "~": ["warn", "diff.changed"],
	"=": ["warn", "diff.order"] };

function differenceList(list) {
	if (!list.length)
		return notice("info", t("diff.none"));
	return el("ul", { class: "diff" }, list.map((d) => el("li", { class: "diff-item" },
		stateWord(...[SIGN_WORDS[d.sign][0], t(SIGN_WORDS[d.sign][1])]),
		d.warning ? stateWord("bad", "! " + d.warning) : null,
		d.was ? el("p", { class: "was" }, el("span", { class: "tag" }, t("diff.before")), " ",
			el("span", { dir: "auto" }, d.was)) : null,
		el("p", {}, d.was ? [el("span", { class: "tag" }, t("diff.now")), " "] : null,
			el("span", { dir: "auto" }, d.text + (d.place || ""))))));
}

/* Controls of the profile for a configuration, from those of the one in force. */
function findings(cfg, controls) {
	return controls.map((c) => {
		const now = controlMet(cfg, c.name);
		return now ? { ...c, met: now.met, rule: now.rule } : c;
	});
}

function findingsList(list, profile) {
	if (!list.length)
		return notice("info", t("report.no-profile"));
	const bad = list.filter((c) => c.met !== "met");
	const must = bad.filter((c) => c.want === "must");
	if (!bad.length)
		return notice("ok", t("findings.good", { profile: tOr("profile." + profile, profile) }));
	return [must.length ? notice("bad", t("findings.must", { n: must.length })) : notice("info", t("findings.show")),
		controlTable(bad)];
}

function step(n, title, ...children) {
	return el("section", { class: "card step" },
		el("h2", {}, el("span", { class: "order", "aria-hidden": "true" }, n), " ", title), children);
}

function draftFileName(cfg) {
	return (cfg.device || "device").replace(/[^A-Za-z0-9._-]/g, "_") + "-" + cfg.serial + ".json";
}

/* The exact bytes that the appliance keeps, not what the page remembers. */
async function downloadDraft(place) {
	await attempt(place, async () => {
		const bytes = await call("GET", "/api/draft", { raw: true });
		saveFile(draftFileName(app.draft.cfg), bytes);
		place.replaceChildren(notice("ok", t("sign.saved", { name: draftFileName(app.draft.cfg),
			n: number(bytes.length) })));
	});
}

function signStep() {
	const place = el("div", {});
	return step(3, t("sign.title"), el("p", {}, t("sign.text")),
		el("div", { class: "buttons" }, button(t("sign.download"), () => downloadDraft(place), "primary")), place,
		el("details", {}, el("summary", {}, t("sign.how")),
			el("ol", {}, ["sign.how1", "sign.how2", "sign.how3"].map((k) => el("li", {}, t(k)))),
			el("pre", {}, "sign config " + draftFileName(app.draft.cfg) + " --previous …\n    --out "
				+ draftFileName(app.draft.cfg).replace(/json$/, "signed") + " --key …")));
}

/* What the chosen signed file is, and whether it is this draft. */
function bundleFacts(bundle) {
	let cfg = null;
	try {
		cfg = JSON.parse(new TextDecoder().decode(bundle.payload));
	} catch {
		return notice("bad", t("upload.no-config"));
	}
	const same = app.draft && sameBytes(app.draft.bytes, bundle.payload);
	const f = bundle.fields;
	return [facts([
		[t("fact.file"), upload.name],
		[t("upload.for"), f.scope || "?"],
		[t("fact.serial"), f.version || "?"],
		[t("upload.issued"), f.issued ? timeText(Number(f.issued)) : "?"],
		[t("upload.expires"), f.expires ? timeText(Number(f.expires)) : "?"],
		[t("fact.signers"), bundle.signers.length
			? bundle.signers.map((k) => el("div", {}, el("code", {}, k))) : t("fact.none")],
	]),
	same ? notice("ok", t("upload.same")) : [notice(app.draft ? "warn" : "info", t("upload.other")),
		differenceList(difference(app.config ? app.config.cfg : null, cfg))]];
}

function uploadStep(n) {
	const shown = el("div", {});
	const place = el("div", {});
	const applyPlace = el("div", { class: "buttons" });
	const redraw = () => {
		shown.replaceChildren();
		append(shown, [upload.bundle ? bundleFacts(upload.bundle) : null]);
		applyPlace.replaceChildren(upload.bundle
			? button(t("apply.do"), () => applyBundle(place), "primary")
			: el("p", { class: "hint" }, t("apply.first-file")));
	};
	const choose = fileField(t("upload.file"), t("upload.hint"), ".signed", async (file) => {
		resetChange();
		place.replaceChildren();
		if (file) {
			upload.bytes = new Uint8Array(await file.arrayBuffer());
			upload.name = file.name;
			upload.bundle = readBundle(upload.bytes);
			if (!upload.bundle)
				fieldError(choose.input, t("upload.bad"));
		}
		redraw();
	});
	redraw();
	return [step(n, t("upload.title"), choose.node, shown),
		step(n + 1, t("apply.title"), el("p", {}, t("apply.text")), applyPlace, place)];
}

async function applyBundle(place) {
	const sure = await ask(t("apply.ask"), el("p", {}, t("apply.ask-text")), t("apply.do"));
	if (!sure)
		return;
	await attempt(place, async () => {
		const answer = await call("POST", "/api/apply", { body: upload.bytes, what: t("wait.apply") });
		app.trialCode = answer.confirm || "";
		app.usedSerial = answer.version || 0;
		resetChange();
		app.config = null;
		await refreshStatus();
		showPage(true);
	});
}

/* The page while a configuration is on trial: countdown, confirm, roll back. */
function trialPage() {
	const clock = el("span", { class: "countdown", role: "timer" }, clockText(trialLeft()));
	const code = el("input", { maxlength: "16", autocomplete: "off", class: "short", value: app.trialCode,
		spellcheck: "false" });
	const place = el("div", {});
	let over = false;
	app.onStatus = () => {
		const left = trialLeft();
		clock.textContent = clockText(left);
		if (!over && (!app.status || !app.status.trial_left)) {
			over = true;
			app.config = null;
			showPage(true);
		}
	};
	const confirm = callForm([
		app.trialCode ? el("p", {}, t("trial.code-is"), " ", el("code", { class: "code" }, app.trialCode)) : null,
		field(t("trial.code"), code, t("trial.code-hint")),
	], t("trial.confirm"), async () => {
		if (!filled(code))
			return;
		await endTrial("confirmed", () => call("POST", "/api/confirm",
			{ body: { code: code.value.trim() }, what: t("wait.confirm") }));
	});
	const back = async () => {
		if (!await ask(t("trial.back-title"), el("p", {}, t("trial.back-text")), t("trial.back"), "danger"))
			return;
		await attempt(place, () => endTrial("rolled-back", () =>
			call("POST", "/api/rollback", { what: t("wait.rollback") })));
	};
	return [el("h1", {}, t("trial.title")),
		el("section", { class: "card hero warn" },
			el("p", { class: "big" }, t("trial.left"), " ", clock),
			el("p", {}, t("trial.text")),
			el("ul", {}, ["trial.check1", "trial.check2"].map((k) => el("li", {}, t(k))))),
		may("POST", "/api/confirm") ? card(t("trial.good"), confirm) : null,
		may("POST", "/api/rollback") ? card(t("trial.bad"), el("p", {}, t("trial.bad-text")), place,
			el("div", { class: "buttons" }, button(t("trial.back"), back, "danger"))) : null];
}

/* End a trial by a call and say how it ended. Meanwhile the page does not watch the
 * state: it would take the end for one by time. */
async function endTrial(how, work) {
	const watch = app.onStatus;
	app.onStatus = null;
	try {
		await work();
	} catch (error) {
		app.onStatus = watch;
		throw error;
	}
	app.trialCode = "";
	app.config = null;
	await refreshStatus();
	await loadConfig();
	if (how === "confirmed" && app.draft && app.config && sameBytes(app.draft.bytes, app.config.bytes)
		&& canEdit())
		await dropDraft();
	const content = document.querySelector("#main .page");
	content.replaceChildren(el("h1", { tabindex: "-1" }, t("done." + how)),
		el("section", { class: "card hero " + (how === "confirmed" ? "ok" : "warn") },
			el("p", { class: "big" }, t("done." + how)),
			el("p", {}, t("done." + how + "-text", { n: app.status.serial || "?" })),
			el("p", {}, el("a", { class: "button primary", href: "#overview" }, t("done.go")))));
	content.querySelector("h1").focus();
}

/* A draft that was rolled back, or that another one overtook, needs a new serial. */
function renewButton() {
	return button(t("change.renew"), async () => {
		await saveDraft(copyOf(app.draft.cfg), app.draft.cfg.serial);
		showPage(true);
	}, "link");
}

async function showChange() {
	if (!app.status)
		await refreshStatus();
	if (app.status.trial_left > 0)
		return trialPage();
	const config = await loadConfig();
	await loadDraft();
	drawNav();
	const controls = app.draft && may("GET", "/api/controls") ? await call("GET", "/api/controls") : null;
	const head = [el("h1", {}, t("nav.change"))];
	if (!app.draft)
		return [head, notice("info", t("change.no-draft"), " ",
			el("a", { href: "#policy" }, t("change.to-policy"))),
		may("POST", "/api/apply") ? uploadStep(1) : null];
	const stale = config && app.draft.cfg.serial <= config.cfg.serial;
	return [head, el("p", {}, t("change.draft", { n: app.draft.cfg.serial }), " ",
		canEdit() ? [el("a", { href: "#policy" }, t("change.edit-more")), " ", renewButton()] : null),
	stale ? notice("bad", t("change.stale", { n: config.cfg.serial })) : null,
	step(1, t("diff.title"), el("p", { class: "hint" }, t("diff.hint")),
		differenceList(difference(config ? config.cfg : null, app.draft.cfg))),
	controls ? step(2, t("findings.title"),
		findingsList(findings(app.draft.cfg, controls.controls || []), controls.profile)) : null,
	signStep(),
	may("POST", "/api/apply") ? uploadStep(4) : null];
}
