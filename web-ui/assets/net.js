/*
 * Addresses as numbers: a range is {v: 4 or 6, lo, hi} with BigInt ends. Reads
 * and writes them as the device does (firmware/policyd/net.c, cfg_print.c).
 */
function parseV4(text) {
	const m = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
	let n = 0n;
	if (!m)
		return null;
	for (const part of m.slice(1)) {
		if (Number(part) > 255 || (part.length > 1 && part[0] === "0"))
			return null;
		n = n << 8n | BigInt(part);
	}
	return n;
}

function parseV6(text) {
	let s = text;
	if (!s.includes(":") || !/^[0-9a-fA-F:.]+$/.test(s))
		return null;
	const tail = s.slice(s.lastIndexOf(":") + 1);
	if (tail.includes(".")) {
		const v4 = parseV4(tail);
		if (v4 === null)
			return null;
		s = s.slice(0, -tail.length) + (v4 >> 16n).toString(16) + ":"
			+ (v4 & 0xffffn).toString(16);
	}
	const halves = s.split("::");
	if (halves.length > 2)
		return null;
	const words = halves.map((h) => (h === "" ? [] : h.split(":")));
	const have = words.reduce((n, w) => n + w.length, 0);
	if (halves.length === 1 ? have !== 8 : have > 7)
		return null;
	const all = halves.length === 1 ? words[0]
		: [...words[0], ...Array(8 - have).fill("0"), ...words[1]];
	let n = 0n;
	for (const w of all) {
		if (!/^[0-9a-fA-F]{1,4}$/.test(w))
			return null;
		n = n << 16n | BigInt("0x" + w);
	}
	return n;
}

/* {v, n} of one address, or null. */
function parseAddress(text) {
	const four = parseV4(text);
	if (four !== null)
		return { v: 4, n: four };
	const six = parseV6(text);
	return six === null ? null : { v: 6, n: six };
}

function netBits(v) {
	return v === 4 ? 32 : 128;
}

/* {v, n, len} of "address/length", host bits allowed; or null. */
function parsePrefix(text) {
	const m = /^([^/]+)\/(\d{1,3})$/.exec(text);
	const a = m && parseAddress(m[1]);
	if (!a || Number(m[2]) > netBits(a.v))
		return null;
	return { ...a, len: Number(m[2]) };
}

function prefixRange(p) {
	const host = (1n << BigInt(netBits(p.v) - p.len)) - 1n;
	const lo = p.n & ~host;
	return { v: p.v, lo, hi: lo | host };
}

/* An address, a network without host bits, or "first-last"; or null. */
function parseRange(text) {
	const one = parseAddress(text);
	if (one)
		return { v: one.v, lo: one.n, hi: one.n };
	const p = parsePrefix(text);
	if (p) {
		const r = prefixRange(p);
		return r.lo === p.n ? r : null;
	}
	const dash = text.indexOf("-");
	const a = dash > 0 ? parseAddress(text.slice(0, dash)) : null;
	const b = dash > 0 ? parseAddress(text.slice(dash + 1)) : null;
	return a && b && a.v === b.v && a.n <= b.n ? { v: a.v, lo: a.n, hi: b.n } : null;
}

function addressText(v, n) {
	if (v === 4)
		return [24n, 16n, 8n, 0n].map((s) => n >> s & 255n).join(".");
	const words = [];
	for (let s = 112n; s >= 0n; s -= 16n)
		words.push(Number(n >> s & 0xffffn));
	let best = { at: -1, len: 1 };
	for (let i = 0; i < 8; i++) {
		let len = 0;
		while (i + len < 8 && words[i + len] === 0)
			len++;
		if (len > best.len)
			best = { at: i, len };
		i += len ? len - 1 : 0;
	}
	if (best.at === 0 && (best.len === 6 || (best.len === 5 && words[5] === 0xffff)))
		return (best.len === 5 ? "::ffff:" : "::") + addressText(4, n & 0xffffffffn);
	const hex = words.map((w) => w.toString(16));
	if (best.at < 0)
		return hex.join(":");
	return hex.slice(0, best.at).join(":") + "::" + hex.slice(best.at + best.len).join(":");
}

function rangeText(r) {
	if (r.lo === r.hi)
		return addressText(r.v, r.lo);
	for (let len = 0; len < netBits(r.v); len++) {
		const p = prefixRange({ v: r.v, n: r.lo, len });
		if (p.lo === r.lo && p.hi === r.hi)
			return addressText(r.v, r.lo) + "/" + len;
	}
	return addressText(r.v, r.lo) + "-" + addressText(r.v, r.hi);
}

/* "address/length" as the device prints it; other texts stay. */
function prefixText(text) {
	const p = parsePrefix(text);
	return p ? addressText(p.v, p.n) + "/" + p.len : text;
}

/* Sorted, joined where they touch or overlap. */
function mergeRanges(list) {
	const sorted = [...list].sort((a, b) => a.v - b.v || (a.lo < b.lo ? -1 : a.lo > b.lo ? 1 : 0));
	const out = [];
	for (const r of sorted) {
		const last = out[out.length - 1];
		if (last && last.v === r.v && r.lo <= last.hi + 1n) {
			if (r.hi > last.hi)
				last.hi = r.hi;
		} else {
			out.push({ ...r });
		}
	}
	return out;
}

function rangesOverlap(a, b) {
	return a.some((x) => b.some((y) => x.v === y.v && x.lo <= y.hi && y.lo <= x.hi));
}

function rangeInside(inner, outer) {
	return inner.v === outer.v && outer.lo <= inner.lo && inner.hi <= outer.hi;
}
