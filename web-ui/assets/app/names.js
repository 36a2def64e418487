/*
 * Names for machines, networks and services, so that rules read like sentences.
 */
function showNames() {
	const cfg = (app.draft || app.config).cfg;
	return [el("h1", {}, t("names.title")), draftBar(), el("p", { class: "hint" }, t("names.hint")),
		namesCard(cfg, "objects"), namesCard(cfg, "services"),
		el("p", {}, el("a", { href: "#policy" }, t("names.back")))];
}

function namesCard(cfg, kind) {
	const names = Object.keys(cfg[kind] || {});
	const place = el("div", {});
	const form = el("div", {});
	const edit = (name) => form.replaceChildren(nameForm(cfg, kind, name, () => showPage(true)));
	const rows = names.map((name) => {
		const users = usersOf(cfg, kind, name);
		return [name, el("div", {}, cfg[kind][name].map((x) => el("div", {}, el("code", {}, x)))),
			users.length ? users.join(", ") : t("names.unused"),
			canEdit() ? el("div", { class: "buttons small" },
				button(t("rule.edit"), () => edit(name), "", { "aria-label": t("rule.edit") + " " + name }),
				users.length ? null : button(t("rule.remove"), async () => {
					if (await changeDraft(place, (c) => delete c[kind][name]))
						showPage(true);
				}, "", { "aria-label": t("rule.remove") + " " + name })) : ""];
	});
	return card(t("names." + kind),
		table([t("names.name"), t("names.items"), t("names.used"), ""], rows, { "aria-label": t("names." + kind) }),
		place, form,
		canEdit() ? el("div", { class: "buttons" },
			button(t("names.add-" + kind), () => edit(null), "")) : null);
}

/* Why a word cannot stand in a list of this kind; null when it can. */
function itemProblem(cfg, kind, item, name) {
	if (item === name)
		return t("names.itself", { text: item });
	if (kind === "objects") {
		const taken = takeAddress(cfg, item);
		return taken.error || null;
	}
	return own(cfg.services, item) || parseService(item) ? null : t("pick.no-service", { text: item });
}

function nameForm(cfg, kind, name, done) {
	const title = el("input", { value: name || "", maxlength: "32", autocomplete: "off", spellcheck: "false",
		readonly: name !== null });
	const items = el("textarea", { rows: "4", spellcheck: "false" });
	items.value = name === null ? "" : cfg[kind][name].join("\n");
	const form = callForm([
		field(t("names.name"), title, t("names.name-hint")),
		field(t("names.items"), items, t("names.items-" + kind)),
	], t("names.save"), async () => {
		if (!filled(title, items))
			return;
		const word = title.value.trim();
		const list = items.value.split(/[\s,;]+/).filter((x) => x);
		const taken = name === null && (own(cfg.objects, word) || own(cfg.services, word));
		const bad = !NAME_PATTERN.test(word) || word === "any" || word === "__proto__" || parseRange(word)
			? t("names.bad-name") : taken ? t("names.taken") : null;
		const wrong = list.map((x) => itemProblem(cfg, kind, x, word)).find((x) => x);
		fieldError(title, bad);
		fieldError(items, wrong || null);
		if (bad || wrong) {
			(bad ? title : items).focus();
			return;
		}
		const next = workingCopy();
		next[kind] = next[kind] || {};
		next[kind][word] = list;
		await saveDraft(next);
		done();
	});
	setTimeout(() => (name === null ? title : items).focus(), 0);
	return el("div", { class: "sub" }, el("h3", {}, name === null ? t("names.add-" + kind) : name), form);
}
