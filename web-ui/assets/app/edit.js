/*
 * The rule editor and the editor of names. A person picks machines by name or
 * writes addresses; the zones follow from the addresses. What the rule will do
 * stands below in words all the time.
 */
const QUICK_PICKS = 14;

function chip(text, remove) {
	return el("li", { class: "chip" }, el("span", { dir: "auto" }, text),
		button("×", remove, "", { "aria-label": t("pick.remove", { name: text }) }));
}

/*
 * A list of words with chips: known names to pick, and a line to write others.
 * o: label, hint, value, known [[name, text]], take(text) -> {items} or {error},
 * extra (node beside the line), changed().
 */
function picker(o) {
	const chips = el("ul", { class: "chips" });
	const listId = newId("list");
	const input = el("input", { list: listId, autocomplete: "off", spellcheck: "false", maxlength: "96" });
	const quick = el("div", { class: "quick", role: "group", "aria-label": o.label });
	const self = { value: [...(o.value || [])], input, node: null };
	const drawQuick = () => {
		const typed = input.value.trim().toLowerCase();
		quick.replaceChildren(...o.known.filter(([name, text]) => !self.value.includes(name)
			&& (name + " " + text).toLowerCase().includes(typed)).slice(0, QUICK_PICKS)
			.map(([name, text]) => button("+ " + name, () => {
				self.value.push(name);
				input.value = "";
				draw();
				(quick.querySelector("button") || input).focus();
			}, "pick", { title: text })));
	};
	const draw = () => {
		chips.replaceChildren(...self.value.map((v) => chip(v, () => {
			self.value = self.value.filter((x) => x !== v);
			draw();
			input.focus();
		})));
		drawQuick();
		o.changed(self);
	};
	/* Take over what stands in the line. Returns false when it is wrong. */
	self.flush = () => {
		const text = input.value.trim();
		fieldError(input, null);
		if (!text)
			return true;
		const taken = o.take(text);
		if (taken.error) {
			fieldError(input, taken.error);
			input.focus();
			return false;
		}
		self.value.push(...taken.items.filter((x) => !self.value.includes(x)));
		input.value = "";
		draw();
		return true;
	};
	input.addEventListener("input", drawQuick);
	input.addEventListener("keydown", (e) => {
		if (e.key !== "Enter")
			return;
		e.preventDefault();
		self.flush();
	});
	self.node = el("div", {}, chips, quick,
		field(o.label, el("span", { class: "line" }, o.extra || null, input,
			button(t("pick.add"), () => self.flush(), "")), o.hint),
		el("datalist", { id: listId }, o.known.map(([name, text]) => el("option", { value: name }, text))));
	const label = self.node.querySelector("label");
	input.id = newId("pick");
	label.setAttribute("for", input.id);
	self.refresh = draw;
	return self;
}

function knownObjects(cfg) {
	return Object.keys(cfg.objects || {}).map((name) =>
		[name, shortList(resolveRanges(cfg, [name]).map(rangeText))]);
}

function takeAddress(cfg, text) {
	if (own(cfg.objects, text) || parseRange(text))
		return { items: [text] };
	const p = parsePrefix(text);
	if (p)
		return { error: t("pick.host-bits", { net: rangeText(prefixRange(p)) }) };
	return { error: t("pick.no-address", { text }) };
}

function takeService(cfg, proto, text) {
	if (own(cfg.services, text) || parseService(text))
		return { items: [text] };
	const written = proto + "/" + text.replace(/\s/g, "");
	if (parseService(written))
		return { items: [written] };
	return { error: t("pick.no-service", { text }) };
}

/* Check boxes of the zones; those of the addresses are set by themselves until
 * the person sets one. */
function zonePicker(legend, value, changed) {
	const boxes = new Map();
	const self = { touched: false, node: null, any: null };
	const make = (zone, text) => {
		const input = el("input", { type: "checkbox", value: zone });
		input.checked = (value || []).includes(zone);
		input.addEventListener("change", () => {
			self.touched = true;
			if (input.checked && zone === "any")
				boxes.forEach((b, z) => { b.checked = z === "any"; });
			else if (input.checked)
				boxes.get("any").checked = false;
			changed();
		});
		boxes.set(zone, input);
		return el("label", { class: "check" }, input, text);
	};
	self.node = el("fieldset", { class: "zones" }, el("legend", {}, legend),
		el("div", { class: "checks" }, [...ZONES, "any"].map((z) => make(z, t("zone." + z)))));
	self.get = () => [...boxes].filter(([, b]) => b.checked).map(([z]) => z);
	self.set = (zones) => boxes.forEach((b, z) => { b.checked = zones.includes(z); });
	self.first = () => boxes.get("lan");
	return self;
}

/* One end of a rule: machines and zones. */
function endEditor(cfg, title, hint, list, zones, changed) {
	const zone = zonePicker(t("edit.zones"), zones, changed);
	const note = el("p", { class: "hint" });
	const pick = picker({
		label: t("edit.machines"), hint, value: list, known: knownObjects(cfg),
		take: (text) => takeAddress(cfg, text),
		changed: (p) => {
			const found = zonesOfList(cfg, p.value);
			if (p.value.length && !zone.touched && found.length)
				zone.set(found);
			note.textContent = p.value.length && !found.length ? t("edit.zone-unknown")
				: p.value.length ? t("edit.zone-found") : t("edit.zone-any");
			changed();
		},
	});
	return { pick, zone, node: el("fieldset", { class: "card" }, el("legend", {}, title), pick.node,
		note, zone.node) };
}

function serviceEditor(cfg, list, changed) {
	const proto = el("select", { "aria-label": t("edit.protocol") },
		el("option", { value: "tcp" }, "TCP"), el("option", { value: "udp" }, "UDP"));
	const pick = picker({
		label: t("edit.port-number"), hint: t("edit.port-hint"), value: list, extra: proto,
		known: Object.keys(cfg.services || {}).map((n) => [n, resolveServices(cfg, [n]).join(", ")]),
		take: (text) => takeService(cfg, proto.value, text), changed,
	});
	return { pick, node: el("fieldset", { class: "card" }, el("legend", {}, t("edit.service")), pick.node) };
}

function actionEditor(value, changed) {
	const name = newId("action");
	const inputs = ["permit", "drop", "reject"].map((a) => {
		const input = el("input", { type: "radio", name, value: a, onchange: changed });
		input.checked = a === value;
		return [a, input];
	});
	return { get: () => inputs.find(([, i]) => i.checked)[0],
		node: el("fieldset", { class: "card" }, el("legend", {}, t("edit.action")),
			inputs.map(([a, input]) => el("label", { class: "check block" }, input,
				el("span", {}, el("strong", {}, t("action." + a)), " – ", t("action." + a + ".what"))))) };
}

function numberField(label, value, max) {
	const input = el("input", { type: "number", min: "1", max: String(max), class: "short", value: value || "" });
	return { input, node: field(label, input) };
}

/* Less usual settings: log, limits, end, place in the order. */
function moreEditor(cfg, rule, index, changed) {
	const log = el("input", { type: "checkbox", onchange: changed });
	log.checked = Boolean(rule.log);
	const limit = rule.limit || {};
	const limits = [["connections", 1000000], ["connections_per_source", 1000000], ["new_per_source", 1000000]]
		.map(([k, max]) => [k, numberField(t("limit." + k), limit[k], max)]);
	const until = el("input", { type: "datetime-local", onchange: changed });
	const when = rule.valid_until ? new Date(rule.valid_until) : null;
	if (when && !Number.isNaN(when.getTime()))
		until.value = new Date(when - when.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
	limits.forEach(([, f]) => f.input.addEventListener("input", changed));
	const others = (cfg.rules || []).filter((r) => r.id !== rule.id);
	const place = el("select", { onchange: changed },
		el("option", { value: "auto" }, index === null ? t("place.auto") : t("place.keep")),
		others.map((r, i) => el("option", { value: String(i) },
			t("place.before", { n: i + 1, id: r.id, action: t("action." + r.action) }))),
		el("option", { value: String(others.length) }, t("place.end")));
	return {
		apply: (r) => {
			r.log = log.checked || undefined;
			const next = { ...limit };
			for (const [k, f] of limits) {
				delete next[k];
				if (Number(f.input.value) > 0)
					next[k] = Math.floor(Number(f.input.value));
			}
			r.limit = Object.keys(next).length ? next : undefined;
			r.valid_until = until.value ? new Date(until.value).toISOString().replace(/\.\d+Z$/, "Z") : undefined;
		},
		place: () => place.value,
		node: el("details", { class: "card" }, el("summary", {}, t("edit.more")),
			el("label", { class: "check block" }, log, t("edit.log")),
			field(t("edit.place"), place, t("edit.place-hint")),
			limits.map(([, f]) => f.node),
			field(t("edit.until"), until, t("edit.until-hint"))),
	};
}

/* What is wrong with a rule, as [input, text]; null when it can be kept. */
function ruleProblem(cfg, rule, ends) {
	if (!rule.from.length)
		return [ends.from.zone.first(), t("problem.no-from")];
	if (!rule.to.length)
		return [ends.to.zone.first(), t("problem.no-to")];
	const joins = (a, b) => rule.from.includes(a) && rule.to.includes(b);
	if (rule.action === "permit" && (joins("internet", "tslcd") || joins("tslcd", "internet")))
		return [ends.to.zone.first(), t("problem.joined")];
	if (rule.action === "reject" && rule.from.some((z) => OUTSIDE.includes(z)))
		return [ends.from.zone.first(), t("problem.reject")];
	const families = (list) => new Set(resolveRanges(cfg, list).map((r) => r.v));
	if (rule.source && rule.destination
		&& ![...families(rule.source)].some((v) => families(rule.destination).has(v)))
		return [ends.to.pick.input, t("problem.families")];
	return null;
}

/* A rule with its keys in the usual order and nothing empty. */
function orderedRule(r) {
	const out = {};
	for (const k of ["id", "from", "to", "in", "out", "source", "destination", "service", "action", "log",
		"limit", "valid_until", "comment"]) {
		if (r[k] !== undefined && !(Array.isArray(r[k]) && !r[k].length) && r[k] !== "")
			out[k] = r[k];
	}
	for (const k of ["from", "to"])
		out[k] = out[k] || [];
	return out;
}

function ruleEditor(cfg, id) {
	const index = id === null ? null : (cfg.rules || []).findIndex((r) => r.id === id);
	if (index === -1)
		return [el("h1", {}, t("edit.change")), notice("bad", t("edit.gone", { id }))];
	const old = index === null ? { id: newRuleId(cfg), from: [], to: [], action: "permit" } : cfg.rules[index];
	const preview = el("div", { class: "preview", "aria-live": "polite" });
	const place = el("div", {});
	let ready = false;
	const changed = () => ready && draw();
	const action = actionEditor(old.action, changed);
	const ends = {
		from: endEditor(cfg, t("edit.from"), t("edit.from-hint"), old.source, old.from, changed),
		to: endEditor(cfg, t("edit.to"), t("edit.to-hint"), old.destination, old.to, changed),
	};
	const service = serviceEditor(cfg, old.service, changed);
	const comment = el("input", { maxlength: "200", value: old.comment || "", autocomplete: "off", dir: "auto" });
	const more = moreEditor(cfg, old, index, changed);
	const read = () => {
		const r = { ...old, action: action.get(), from: ends.from.zone.get(), to: ends.to.zone.get(),
			source: ends.from.pick.value, destination: ends.to.pick.value, service: service.pick.value,
			comment: comment.value.trim() };
		more.apply(r);
		return orderedRule(r);
	};
	const where = (r) => {
		const others = (cfg.rules || []).filter((x) => x.id !== r.id);
		if (more.place() !== "auto")
			return Number(more.place());
		return index === null ? placeFor({ ...cfg, rules: others }, r) : index;
	};
	function draw() {
		const r = read();
		const others = (cfg.rules || []).filter((x) => x.id !== r.id);
		const at = where(r);
		preview.replaceChildren(el("h2", {}, t("edit.preview")), el("p", { class: "sentence" }, plainRule(cfg, r)),
			r.action === "permit" && !r.service ? notice("warn", t("edit.all-services")) : "",
			opensInside(r) ? notice("warn", t("edit.opens")) : "",
			el("p", { class: "hint" }, at < others.length
				? t("edit.stands-before", { n: at + 1, id: others[at].id }) : t("edit.stands-last")));
	}
	const save = async () => {
		if (![ends.from.pick, ends.to.pick, service.pick].every((p) => p.flush()))
			return;
		const r = read();
		const problem = ruleProblem(cfg, r, ends);
		place.replaceChildren();
		if (problem) {
			place.replaceChildren(notice("bad", problem[1]));
			problem[0].focus();
			return;
		}
		const next = copyOf(cfg);
		const at = where(r);
		next.rules = (next.rules || []).filter((x) => x.id !== r.id);
		next.rules.splice(at, 0, r);
		if (await attempt(place, () => saveDraft(next)))
			go("change");
	};
	ready = true;
	[ends.from, ends.to, service].forEach((x) => {
		x.zone && old.from.length ? x.zone.touched = index !== null : null;
		x.pick.refresh();
	});
	draw();
	return [el("h1", {}, index === null ? t("edit.new") : t("edit.change") + " " + old.id),
		el("p", { class: "hint" }, t("edit.hint"), " ", el("a", { href: "#policy/names" }, t("edit.names-link"))),
		action.node, el("div", { class: "grid" }, ends.from.node, ends.to.node), service.node,
		el("div", { class: "card" }, field(t("edit.comment"), comment, t("edit.comment-hint"))),
		more.node, preview, place,
		el("div", { class: "buttons" }, button(t("edit.save"), save, "primary"),
			el("a", { class: "button", href: "#policy" }, t("do.cancel")))];
}
