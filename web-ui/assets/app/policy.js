/*
 * Policy: zones and rules in words, with counters; the draft when there is one.
 * Editing leads to edit.js, every change is kept as the draft on the appliance.
 */
async function showPolicy(path) {
	const config = await loadConfig();
	if (!config && !app.draft)
		return [el("h1", {}, t("nav.policy")), notice("warn", t("policy.none")),
			canEdit() ? startFromFile() : null];
	if (canEdit() && path[0] === "new")
		return ruleEditor(workingCopy(), null);
	if (canEdit() && path[0] === "edit")
		return ruleEditor(workingCopy(), path[1]);
	if (path[0] === "names")
		return showNames();
	return rulesPage(config);
}

/* A copy of the draft, or of the configuration in force, to change. */
function workingCopy() {
	return copyOf((app.draft || app.config).cfg);
}

/* Without any configuration the first one comes from a file. */
function startFromFile() {
	const place = el("div", {});
	const choose = fileField(t("policy.file"), t("policy.file-hint"), ".json,application/json",
		(file) => file && attempt(place, async () => {
			let cfg = null;
			try {
				cfg = JSON.parse(await file.text());
			} catch {
				cfg = null;
			}
			if (!cfg || cfg.format !== "luytre-config 1") {
				fieldError(choose.input, t("policy.file-bad"));
				return;
			}
			await saveDraft(cfg);
			go("policy");
		}));
	return card(t("policy.from-file"), choose.node, place);
}

/* A message about the draft, and where it goes from here. */
function draftBar() {
	if (!app.draft)
		return null;
	const n = difference(app.config ? app.config.cfg : null, app.draft.cfg)
		.filter((d) => d.sign !== "~" || !d.text.startsWith("serial")).length;
	return el("div", { class: "notice info draft-bar" },
		el("span", {}, el("strong", {}, t("draft.is", { n })), " ", t("draft.not-yet")),
		el("span", { class: "buttons" },
			el("a", { class: "button primary", href: "#change" }, t("draft.go")),
			canEdit() ? button(t("draft.drop"), async () => {
				if (!await ask(t("draft.drop-title"), el("p", {}, t("draft.drop-text")), t("draft.drop"), "danger"))
					return;
				await dropDraft();
				showPage(true);
			}, "") : null));
}

function zoneTable(cfg) {
	const used = ZONES.filter((z) => (cfg.ports || []).some((p) => p.zone === z));
	return el("details", { class: "card" }, el("summary", {}, t("zones.title", { n: used.length })),
		el("p", { class: "hint" }, t("zones.hint")),
		table([t("zones.zone"), t("zones.what"), t("zones.ports")], used.map((z) => [
			t("zone." + z), t("zone." + z + ".what"),
			(cfg.ports || []).filter((p) => p.zone === z).map((p) =>
				el("div", {}, p.name + ": " + ((p.addresses || []).join(", ") || t("fact.none")))),
		]), { "aria-label": t("zones.label") }));
}

/* What a rule says that can be searched for. */
function ruleHaystack(cfg, r) {
	return (ruleSentence(cfg, r) + " " + plainRule(cfg, r)).toLocaleLowerCase();
}

function ruleMark(r) {
	if (!app.draft || !app.config)
		return null;
	const was = (app.config.cfg.rules || []).find((x) => x.id === r.id);
	if (!was)
		return stateWord("warn", t("draft.new"));
	const same = ruleSentence(app.config.cfg, was) === ruleSentence(app.draft.cfg, r);
	return same ? null : stateWord("warn", t("draft.changed"));
}

function counterText(counters, id) {
	const c = counters ? (counters.rules || []).find((x) => x.id === id) : null;
	if (!c)
		return null;
	return el("p", { class: "hint" }, c.packets
		? t("rule.hits", { n: number(c.packets), size: bytesText(c.bytes) }) : t("rule.no-hits"));
}

/* Change the working copy, keep it as the draft, draw the page again. */
async function changeDraft(place, change) {
	const cfg = workingCopy();
	change(cfg);
	return attempt(place, () => saveDraft(cfg));
}

function ruleButtons(cfg, r, index, place, redraw) {
	const move = (by) => changeDraft(place, (c) => {
		const [rule] = c.rules.splice(index, 1);
		c.rules.splice(index + by, 0, rule);
	}).then((done) => done && redraw(r.id, by < 0 ? "up" : "down"));
	const remove = async () => {
		if (!await ask(t("rule.remove-title", { id: r.id }), el("p", {}, plainRule(cfg, r)),
			t("rule.remove"), "danger"))
			return;
		if (await changeDraft(place, (c) => c.rules.splice(index, 1)))
			redraw(null);
	};
	const label = (key) => ({ "aria-label": t(key) + " " + r.id });
	return el("div", { class: "buttons small" },
		el("a", { class: "button", href: "#policy/edit/" + encodeURIComponent(r.id), ...label("rule.edit") },
			t("rule.edit")),
		button("↑", () => move(-1), "up", { ...label("rule.up"), title: t("rule.up"), disabled: index === 0 }),
		button("↓", () => move(1), "down", { ...label("rule.down"), title: t("rule.down"),
			disabled: index === cfg.rules.length - 1 }),
		button(t("rule.remove"), remove, "", label("rule.remove")));
}

const ACTION_KIND = { permit: "ok", drop: "bad", reject: "bad" };

function ruleItem(cfg, r, index, counters, edit) {
	return el("li", { class: "rule", "data-id": r.id },
		el("div", { class: "rule-head" },
			el("span", { class: "order" }, index + 1),
			stateWord(ACTION_KIND[r.action] || "off", t("action." + r.action)),
			el("code", {}, r.id), ruleMark(r),
			opensInside(r) ? stateWord("warn", t("rule.opens")) : null),
		el("p", { class: "sentence" }, plainRule(cfg, r)),
		r.comment ? el("p", { class: "comment", dir: "auto" }, r.comment) : null,
		counterText(counters, r.id), edit);
}

async function rulesPage(config) {
	const shown = app.draft || config;
	const cfg = shown.cfg;
	const counters = may("GET", "/api/counters") ? await call("GET", "/api/counters") : null;
	const place = el("div", {});
	const list = el("ol", { class: "rules" });
	const search = el("input", { type: "search", autocomplete: "off" });
	const count = el("p", { class: "hint", role: "status" });
	const redraw = (id, which) => {
		const words = search.value.toLocaleLowerCase().split(/\s+/).filter((w) => w);
		const now = (app.draft || app.config).cfg;
		const rules = (now.rules || []).map((r, i) => [r, i])
			.filter(([r]) => words.every((w) => ruleHaystack(now, r).includes(w)));
		list.replaceChildren(...rules.map(([r, i]) => ruleItem(now, r, i, counters,
			canEdit() ? ruleButtons(now, r, i, place, again) : null)));
		count.textContent = t("rules.count", { n: rules.length, all: (now.rules || []).length });
		const item = id && [...list.children].find((x) => x.dataset.id === id);
		const target = item && (item.querySelector("." + which + ":enabled") || item.querySelector("a"));
		if (target)
			target.focus();
	};
	const again = (id, which) => {
		bar.replaceChildren(draftBar() || "");
		redraw(id, which);
	};
	const bar = el("div", {}, draftBar());
	search.addEventListener("input", () => redraw(null));
	redraw(null);
	return [el("h1", {}, t("nav.policy")), bar,
		el("div", { class: "toolbar" },
			canEdit() ? el("a", { class: "button primary", href: "#policy/new" }, t("rule.add")) : null,
			el("a", { class: "button", href: "#policy/names" }, t("names.title"))),
		el("p", {}, app.draft ? t("rules.draft-shown") : t("rules.in-force", { n: cfg.serial }), " ",
			t("rules.first-match")),
		zoneTable(cfg),
		field(t("rules.search"), search), count, place, list,
		el("p", { class: "rule last" }, stateWord("bad", t("action.drop")), " ", t("rules.rest"))];
}
