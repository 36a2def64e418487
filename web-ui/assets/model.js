/*
 * A configuration document: what its names stand for, where its addresses lie,
 * and the draft that grows out of the one in force. Nothing here touches the
 * page. Names may be anything that the device takes, so tables are looked up
 * with Object.hasOwn.
 */
const ZONES = ["lan", "server", "dmz", "wireless", "mgmt", "tslcd", "internet", "tunnel"];
const OUTSIDE = ["tslcd", "internet"];
const OBJECT_DEPTH = 8;
const NAME_PATTERN = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,31}$/;

function own(table, name) {
	return table && Object.hasOwn(table, name) ? table[name] : undefined;
}

/* All ranges of a list of addresses and object names; unknown words are left out. */
function resolveRanges(cfg, list, depth) {
	const out = [];
	for (const item of list || []) {
		const object = own(cfg.objects, item);
		if (object && (depth || 0) < OBJECT_DEPTH)
			out.push(...resolveRanges(cfg, object, (depth || 0) + 1));
		else if (!object && parseRange(item))
			out.push(parseRange(item));
	}
	return mergeRanges(out);
}

/* "tcp/80" -> {proto, text}; null when it is no service. */
function parseService(text) {
	const m = /^(tcp|udp|icmp|icmpv6|proto)\/(.+)$/.exec(text);
	if (!m)
		return null;
	const [, proto, rest] = m;
	const n = (s, lo, hi) => /^(0|[1-9]\d*)$/.test(s) && Number(s) >= lo && Number(s) <= hi;
	const parts = rest.split(proto === "tcp" || proto === "udp" ? "-" : "/");
	let good = parts.length <= 2;
	if (rest === "*")
		good = proto !== "proto";
	else if (proto === "tcp" || proto === "udp")
		good = good && parts.every((p) => n(p, 1, 65535))
			&& Number(parts[0]) <= Number(parts[parts.length - 1]);
	else if (proto === "proto")
		good = parts.length === 1 && n(rest, 1, 254);
	else
		good = good && parts.every((p) => n(p, 0, 255));
	return good ? { proto, text: serviceText(proto, rest, parts) } : null;
}

/* As the device prints it: numbers of well-known protocols get their names. */
function serviceText(proto, rest, parts) {
	const named = { 1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6" };
	if (proto === "proto" && named[rest])
		return named[rest] + "/*";
	if ((proto === "tcp" || proto === "udp") && parts.length === 2 && parts[0] === parts[1])
		return proto + "/" + parts[0];
	return proto + "/" + rest;
}

/* All literal services of a list of services and service names, in order. */
function resolveServices(cfg, list, depth) {
	const out = [];
	for (const item of list || []) {
		const named = own(cfg.services, item);
		if (named && (depth || 0) < OBJECT_DEPTH) {
			out.push(...resolveServices(cfg, named, (depth || 0) + 1));
			continue;
		}
		const s = parseService(item);
		if (s)
			out.push(s.text);
	}
	return out;
}

/* The zone in which an address range lies: longest network or route that has it. */
function zoneOfRange(cfg, range) {
	let best = null;
	const consider = (r, len, zone) => {
		if (zone && rangeInside(range, r) && (!best || len > best.len))
			best = { len, zone };
	};
	for (const port of cfg.ports || []) {
		for (const text of port.addresses || []) {
			const p = parsePrefix(text);
			if (p)
				consider(prefixRange(p), p.len, port.zone);
		}
		for (const peer of port.wireguard ? port.wireguard.peers || [] : []) {
			for (const text of peer.allowed || []) {
				const p = parsePrefix(text);
				if (p)
					consider(prefixRange(p), p.len, port.zone);
			}
		}
	}
	for (const route of cfg.routes || []) {
		const p = parsePrefix(route.to);
		const via = parseAddress(route.via);
		if (p && via)
			consider(prefixRange(p), p.len, zoneOfVia(cfg, via));
	}
	return best ? best.zone : null;
}

function zoneOfVia(cfg, via) {
	for (const port of cfg.ports || []) {
		for (const text of port.addresses || []) {
			const p = parsePrefix(text);
			const r = p && prefixRange(p);
			if (r && r.v === via.v && r.lo <= via.n && via.n <= r.hi)
				return port.zone;
		}
	}
	return null;
}

/* Zones of a list of addresses and names, in the fixed order. */
function zonesOfList(cfg, list) {
	const found = new Set(resolveRanges(cfg, list).map((r) => zoneOfRange(cfg, r)));
	return ZONES.filter((z) => found.has(z));
}

function ruleZones(list) {
	return (list || []).includes("any") ? ZONES : list || [];
}

/* May one new connection match both rules? Services count as overlapping when
 * one of them says everything or they name the same protocol and port. */
function rulesOverlap(cfg, a, b) {
	const share = (x, y) => ruleZones(x).some((z) => ruleZones(y).includes(z));
	const addresses = (x, y) => !x || !y
		|| rangesOverlap(resolveRanges(cfg, x), resolveRanges(cfg, y));
	return share(a.from, b.from) && share(a.to, b.to)
		&& addresses(a.source, b.source) && addresses(a.destination, b.destination)
		&& servicesOverlap(cfg, a.service, b.service);
}

function servicesOverlap(cfg, a, b) {
	if (!a || !b)
		return true;
	const span = (s) => {
		const [proto, rest] = [s.slice(0, s.indexOf("/")), s.slice(s.indexOf("/") + 1)];
		const m = /^(\d+)-(\d+)$/.exec(rest);
		if (rest === "*")
			return [proto, 0, 65535];
		return m ? [proto, Number(m[1]), Number(m[2])] : [proto, parseInt(rest, 10), parseInt(rest, 10)];
	};
	const x = resolveServices(cfg, a).map(span);
	const y = resolveServices(cfg, b).map(span);
	return x.some((p) => y.some((q) => p[0] === q[0] && p[1] <= q[2] && q[1] <= p[2]));
}

/* Where a new rule has to stand to decide: before the first rule that says the
 * opposite about the same connections; else at the end. */
function placeFor(cfg, rule) {
	const rules = cfg.rules || [];
	for (let i = 0; i < rules.length; i++) {
		const opposite = (rules[i].action === "permit") !== (rule.action === "permit");
		if (opposite && rules[i].id !== rule.id && rulesOverlap(cfg, rule, rules[i]))
			return i;
	}
	return rules.length;
}

/* A free id: r and the next ten after the highest. */
function newRuleId(cfg) {
	const taken = new Set((cfg.rules || []).map((r) => r.id));
	for (const list of Object.values(cfg.nat || {})) {
		if (Array.isArray(list))
			list.forEach((n) => taken.add(n.id));
	}
	let top = 0;
	for (const id of taken) {
		const m = /^r(\d{1,6})$/.exec(id);
		if (m)
			top = Math.max(top, Number(m[1]));
	}
	let n = top + 10 - top % 10;
	while (taken.has("r" + n))
		n += 10;
	return "r" + n;
}

/* Which rules and objects use a name; kind is "objects" or "services". */
function usersOf(cfg, kind, name) {
	const keys = kind === "objects" ? ["source", "destination"] : ["service"];
	const out = [];
	for (const r of cfg.rules || []) {
		if (keys.some((k) => (r[k] || []).includes(name)))
			out.push(r.id);
	}
	for (const [other, list] of Object.entries(cfg[kind] || {})) {
		if (list.includes(name))
			out.push(other);
	}
	for (const list of Object.values(cfg.nat || {})) {
		for (const n of Array.isArray(list) ? list : []) {
			if ([...keys, "address"].some((k) => Array.isArray(n[k]) && n[k].includes(name)))
				out.push(n.id);
		}
	}
	if (kind === "objects" && cfg.management && (cfg.management.sources || []).includes(name))
		out.push("management");
	return out;
}

function copyOf(value) {
	return JSON.parse(JSON.stringify(value));
}

/* The bytes of a configuration as they are written to a file and signed. */
function configBytes(cfg) {
	return new TextEncoder().encode(JSON.stringify(cfg, null, 1) + "\n");
}

/* Split a signed file (toolchain/FORMAT.manifest.md): {fields, signers, payload},
 * null when it is none. The device judges it; this is only to show what it is. */
function readBundle(bytes) {
	const head = new TextDecoder("latin1").decode(bytes);
	const first = head.indexOf("\n\n");
	if (!head.startsWith("luytre-manifest 1\n") || first < 0)
		return null;
	const second = head.indexOf("\n\n", first + 2);
	if (second < 0)
		return null;
	const fields = {};
	for (const line of head.slice(0, first).split("\n").slice(1)) {
		const at = line.indexOf(" ");
		fields[line.slice(0, at)] = line.slice(at + 1);
	}
	const signers = head.slice(first + 2, second).split("\n")
		.filter((l) => l.startsWith("sig ")).map((l) => l.split(" ")[1]);
	return { fields, signers, payload: bytes.slice(second + 2) };
}

function sameBytes(a, b) {
	return a.length === b.length && a.every((x, i) => x === b[i]);
}
