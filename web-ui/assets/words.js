/*
 * Configurations in words. The sentences of the difference are those of the
 * signing tool (toolchain/sign/diff.c), letter for letter: who signs sees on the
 * signing machine what the page has shown.
 */
const LIST_SHOWN = 12;     /* in the plain words; the sentences of the tool show all */
const WORDS_SHOWN = 600;   /* bytes of a sentence whose new words are also told apart */
const TIMEOUTS = [["tcp_established", 7440], ["tcp_transitory", 240], ["udp", 300], ["icmp", 60]];
const CONFIRM_WINDOW_S = 300;

function zonesText(list) {
	if ((list || []).includes("any"))
		return t("say.any-zone");
	return ZONES.filter((z) => (list || []).includes(z)).join("+");
}

function portsText(list, cfg) {
	return (cfg.ports || []).filter((p) => (list || []).includes(p.name))
		.map((p) => " " + t("say.port") + " " + p.name).join("");
}

function shortList(texts) {
	const more = texts.length - LIST_SHOWN;
	return texts.slice(0, LIST_SHOWN).join(", ")
		+ (more > 0 ? t("say.more", { n: more }) : "");
}

function rangesText(cfg, list) {
	const ranges = resolveRanges(cfg, list);
	return ranges.length ? " (" + ranges.map(rangeText).join(", ") + ")" : "";
}

function servicesText(cfg, list) {
	return list && list.length ? resolveServices(cfg, list).join(", ") : t("say.everything");
}

function untilText(text) {
	const when = new Date(text);
	return Number.isNaN(when.getTime()) ? text : when.toISOString().replace(/\.\d+Z$/, "Z");
}

function limitsText(rule) {
	const l = rule.limit || {};
	const parts = [["connections", "say.limit-all"], ["connections_per_source", "say.limit-source"],
		["new_per_source", "say.limit-new"], ["half_open", "say.limit-half"]];
	return parts.filter(([k]) => l[k]).map(([k, key]) => t(key, { n: l[k] })).join("")
		+ (rule.valid_until ? t("say.until", { time: untilText(rule.valid_until) }) : "");
}

function ruleSentence(cfg, r) {
	return t("say.rule", { id: r.id, action: t("say." + r.action) })
		+ servicesText(cfg, r.service)
		+ t("say.from") + zonesText(r.from) + portsText(r.in, cfg) + rangesText(cfg, r.source)
		+ t("say.to") + zonesText(r.to) + portsText(r.out, cfg) + rangesText(cfg, r.destination)
		+ limitsText(r) + (r.log ? t("say.logged") : "")
		+ (r.comment ? " [" + r.comment + "]" : "");
}

function hardwareText(match) {
	return (Object.entries(match || {})[0] || []).join(" ");
}

function portKindText(p) {
	if (p.vlan)
		return t("say.vlan", { id: p.vlan.id, port: p.vlan.of });
	if (p.bridge)
		return t("say.bridge") + (p.bridge.members || []).map((m) => " " + hardwareText(m)).join(",")
			+ t("say.bridge-open");
	if (p.wireguard)
		return t("say.tunnel", { n: p.wireguard.listen })
			+ (p.wireguard.roaming ? t("say.roaming") : "");
	return hardwareText(p.match);
}

function portSentence(p) {
	const head = t("say.port-is", { name: p.name }) + portKindText(p);
	if (!p.zone)
		return head + t("say.no-zone");
	return head + t("say.in-zone", { zone: p.zone })
		+ (p.addresses || []).map((a) => " " + prefixText(a)).join("");
}

function endpointText(text) {
	const at = text.lastIndexOf(":");
	const a = parseAddress(text.slice(0, at).replace(/^\[|\]$/g, ""));
	if (!a)
		return text;
	const host = addressText(a.v, a.n);
	return (a.v === 4 ? host : "[" + host + "]") + text.slice(at);
}

function peerSentence(p, peer) {
	return t("say.peer", { port: p.name, key: peer.public_key })
		+ (peer.endpoint ? t("say.peer-at", { at: endpointText(peer.endpoint) }) : t("say.peer-any"))
		+ (peer.keepalive ? t("say.keepalive", { n: peer.keepalive }) : "")
		+ t("say.behind") + (peer.allowed || []).map((a) => " " + prefixText(a)).join("");
}

function sourceNatSentence(cfg, n) {
	return servicesText(cfg, n.service) + t("say.from") + zonesText(n.from) + rangesText(cfg, n.source)
		+ t("say.to") + zonesText(n.to) + rangesText(cfg, n.destination)
		+ (n.masquerade ? t("say.masquerade")
			: t("say.leaves-as", { address: parseRange(n.address) ? rangeText(parseRange(n.address)) : n.address }));
}

function destinationNatSentence(cfg, n) {
	const target = parseRange(n.to_address || "");
	const [lo, hi] = String(n.to_port || "").split("-");
	let port = "";
	if (lo)
		port = hi && hi !== lo ? t("say.nat-ports", { lo, hi }) : t("say.nat-port", { n: lo });
	return servicesText(cfg, n.service) + t("say.from") + zonesText(n.from) + t("say.nat-for")
		+ rangesText(cfg, n.address)
		+ t("say.nat-goes", { address: target ? rangeText(target) : n.to_address })
		+ (target ? zoneOfRange(cfg, target) || "?" : "?") + port;
}

function natSentences(cfg) {
	const nat = cfg.nat || {};
	const out = [];
	const add = (n, text, i, list) => out.push({
		key: "nat " + n.id,
		before: i + 1 < list.length ? list[i + 1].id : null,
		text: t("say.nat", { id: n.id }) + text + (n.comment ? " [" + n.comment + "]" : ""),
	});
	(nat.source || []).forEach((n, i, l) => add(n, sourceNatSentence(cfg, n), i, l));
	(nat.destination || []).forEach((n, i, l) => add(n, destinationNatSentence(cfg, n), i, l));
	(nat.prefix || []).forEach((n, i, l) => add(n, t("say.nat-prefix",
		{ zone: n.zone, inside: prefixText(n.inside), outside: prefixText(n.outside) }), i, l));
	return out;
}

/* A permit through which the outside reaches the inside. */
function opensInside(rule) {
	return rule.action === "permit" && ruleZones(rule.from).some((z) => OUTSIDE.includes(z))
		&& ruleZones(rule.to).some((z) => !OUTSIDE.includes(z));
}

function settingSentences(cfg) {
	const profile = cfg.profile || "none";
	const out = [
		{ key: "agency", text: t("say.agency", { name: cfg.agency }) },
		{ key: "device", text: t("say.device", { name: cfg.device }) },
		{ key: "profile", text: t("say.profile", { name: profile }),
			warning: profile === "none" ? t("say.no-profile") : null },
	];
	for (const [key, standard] of TIMEOUTS) {
		const seconds = own(cfg.timeouts, key) || standard;
		out.push({ key: "timeout " + key, text: t("say.timeout", { key, n: seconds }) });
	}
	const connections = own(cfg.limits, "connections");
	out.push({ key: "connections", text: connections
		? t("say.connections", { n: connections }) : t("say.connections-standard") });
	out.push({ key: "window", text: t("say.window", { n: cfg.confirm_window || CONFIRM_WINDOW_S }) });
	if (cfg.management)
		out.push({ key: "management", text: t("say.management", { port: cfg.management.port })
			+ rangesText(cfg, cfg.management.sources) });
	for (const a of cfg.soc ? cfg.soc.addresses || [] : [])
		out.push({ key: "soc " + a, text: "SOC: " + a });
	return out;
}

/*
 * Everything that is to be said about a configuration: {key, text, warning, before};
 * `before` is there when the place matters: what stands behind it, null at the end.
 */
function sentences(cfg) {
	const out = settingSentences(cfg);
	for (const p of cfg.ports || []) {
		out.push({ key: "port " + p.name, text: portSentence(p),
			warning: p.wireguard && p.wireguard.roaming ? t("say.open-all") : null });
		for (const peer of p.wireguard ? p.wireguard.peers || [] : [])
			out.push({ key: "peer " + p.name + peer.public_key, text: peerSentence(p, peer) });
	}
	for (const r of cfg.routes || []) {
		const via = parseAddress(r.via);
		out.push({ key: "route " + prefixText(r.to), text: t("say.route",
			{ to: prefixText(r.to), via: via ? addressText(via.v, via.n) : r.via }) });
	}
	(cfg.rules || []).forEach((r, i, list) => out.push({
		key: "rule " + r.id, text: ruleSentence(cfg, r),
		before: i + 1 < list.length ? list[i + 1].id : null,
		warning: opensInside(r) ? t("say.opens") : null,
	}));
	return out.concat(natSentences(cfg));
}

/* The first thing of the new order that stands behind one it stood before. */
function firstMoved(oldIds, newIds) {
	let last = 0;
	for (const id of newIds) {
		const k = oldIds.indexOf(id);
		if (k < 0)
			continue;
		if (k < last)
			return id;
		last = k;
	}
	return null;
}

/* Where something new stands; nothing where its place does not matter. */
function placeText(before) {
	if (before === undefined)
		return "";
	return before === null ? t("say.at-end") : t("say.place", { id: before });
}

/*
 * What changes from one configuration to another: a list of {sign, text, was,
 * warning, place}; sign is "-", "+", "~" (changed) or "=" (other order).
 */
function difference(old, now) {
	const before = old ? sentences(old) : [];
	const after = sentences(now);
	const find = (list, key) => list.find((x) => x.key === key);
	const out = before.filter((x) => !find(after, x.key)).map((x) => ({ sign: "-", text: x.text }));
	for (const x of after) {
		const was = find(before, x.key);
		if (was && was.text === x.text)
			continue;
		out.push({ sign: was ? "~" : "+", text: x.text, was: was ? was.text : null,
			warning: x.warning || null, place: old && !was ? placeText(x.before) : "" });
	}
	const ids = (c) => (c.rules || []).map((r) => r.id);
	const natIds = (c) => natSentences(c).map((n) => n.key.slice(4));
	const rule = old ? firstMoved(ids(old), ids(now)) : null;
	const nat = old ? firstMoved(natIds(old), natIds(now)) : null;
	if (rule !== null)
		out.push({ sign: "=", text: t("say.moved", { id: rule }) });
	if (nat !== null)
		out.push({ sign: "=", text: t("say.nat-moved", { id: nat }) });
	return out;
}

/* What stands in one sentence only: a new address among hundreds is overlooked. */
function newWords(text, other) {
	const words = (x) => x.split(/[ (),]+/).filter((w) => w);
	const known = new Set(words(other));
	return words(text).filter((w) => !known.has(w));
}

function wordLines(d) {
	const bytes = (x) => new TextEncoder().encode(x).length;
	if (bytes(d.was) < WORDS_SHOWN && bytes(d.text) < WORDS_SHOWN)
		return [];
	return [["say.gone", newWords(d.was, d.text)], ["say.new", newWords(d.text, d.was)]]
		.filter(([, words]) => words.length)
		.map(([key, words]) => "    " + t(key) + words.join(" "));
}

/* Lines as the signing tool writes them, for the comparison with it. */
function differenceLines(list) {
	const out = [];
	for (const d of list) {
		if (d.was)
			out.push("  " + t("say.before") + d.was);
		const sign = d.sign === "~" ? t("say.now") : d.sign === "=" ? "~ " : d.sign + " ";
		out.push("  " + sign + d.text + (d.place || "") + (d.warning ? "   ! " + d.warning : ""));
		if (d.was)
			out.push(...wordLines(d));
	}
	out.push("  " + t("say.count", { n: list.length }));
	return out;
}

/*
 * The name that stands for exactly these addresses, as a list; the list itself when
 * there is none. The device may give a policy back with its names resolved.
 */
function namedAddresses(cfg, list) {
	const text = (items) => resolveRanges(cfg, items).map(rangeText).join(" ");
	if (list.some((x) => own(cfg.objects, x)))
		return list;
	const name = Object.keys(cfg.objects || {}).find((n) => text([n]) === text(list));
	return name ? [name] : list;
}

/* The same for services: names first whose services all stand in the list. */
function namedServices(cfg, list) {
	let rest = list;
	const names = [];
	if (list.some((x) => own(cfg.services, x)))
		return list;
	const known = Object.keys(cfg.services || {}).map((n) => [n, resolveServices(cfg, [n])])
		.sort((a, b) => b[1].length - a[1].length);
	for (const [name, items] of known) {
		if (items.length && items.every((x) => rest.includes(x))) {
			names.push(name);
			rest = rest.filter((x) => !items.includes(x));
		}
	}
	return names.concat(rest);
}

/* Names and addresses of a rule's end, for people: "accounting (192.168.20.15)". */
function endText(cfg, zones, list) {
	if (!(zones || []).length)
		return t("end.none");
	const where = (zones || []).includes("any") ? t("zone.any")
		: (zones || []).map((z) => tOr("zone." + z, z)).join(", ");
	if (!list || !list.length)
		return t("end.anyone", { zone: where });
	const names = namedAddresses(cfg, list).map((item) => {
		const object = own(cfg.objects, item);
		if (!object)
			return item;
		return item + " (" + shortList(resolveRanges(cfg, [item]).map(rangeText)) + ")";
	});
	return t("end.some", { names: names.join(", "), zone: where });
}

function serviceWords(cfg, list) {
	if (!list || !list.length)
		return t("service.all");
	return namedServices(cfg, list).map((s) => {
		const named = own(cfg.services, s);
		return named ? s + " (" + resolveServices(cfg, [s]).join(", ") + ")" : s;
	}).join(", ");
}

/* A rule as a sentence for people who do not know the file format. */
function plainRule(cfg, r) {
	return t("plain." + r.action, {
		service: serviceWords(cfg, r.service),
		from: endText(cfg, r.from, r.source) + portsText(r.in, cfg),
		to: endText(cfg, r.to, r.destination) + portsText(r.out, cfg),
	}) + limitsText(r) + (r.log ? t("say.logged") : "") + ".";
}
