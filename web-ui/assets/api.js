/*
 * Calls to the device (api.yaml). Every call ends in an answer or in an
 * ApiError whose message the reader understands. A call over two seconds shows
 * that it is running.
 */
const PROGRESS_AFTER_MS = 2000;
const session = { name: "", role: "", must: "", csrf: "", may: [], idle_s: 0, ends_at: 0 };
const hooks = { ended: null };

class ApiError extends Error {
	constructor(code, detail) {
		super(tOr("error." + code, t("error.other", { code })));
		this.code = code;
		this.detail = detail || "";
	}
}

const running = new Map();

/* The bar at the top of the page: what runs for longer than two seconds. */
function showProgress() {
	const now = Date.now();
	const bar = document.getElementById("progress");
	const slow = [...running.values()].filter((r) => now - r.start >= PROGRESS_AFTER_MS);
	if (!bar)
		return;
	if (!slow.length) {
		bar.hidden = true;
		return;
	}
	bar.hidden = false;
	bar.textContent = t("wait.for", {
		what: slow[0].what, n: Math.floor((now - slow[0].start) / 1000),
	});
}
setInterval(showProgress, 500);

async function withProgress(what, work) {
	const key = {};
	running.set(key, { what, start: Date.now() });
	try {
		return await work();
	} finally {
		running.delete(key);
		showProgress();
	}
}

async function request(method, path, body) {
	const headers = {};
	if (method !== "GET" && session.csrf)
		headers["X-CSRF"] = session.csrf;
	let data = body;
	if (body instanceof Uint8Array) {
		headers["Content-Type"] = "application/octet-stream";
	} else if (body !== undefined && body !== null) {
		headers["Content-Type"] = "application/json";
		data = JSON.stringify(body);
	}
	try {
		return await fetch(path, {
			method, headers, body: data, cache: "no-store", credentials: "same-origin",
			redirect: "error",
		});
	} catch {
		throw new ApiError("no-answer");
	}
}

async function failure(response) {
	let answer = {};
	try {
		answer = await response.json();
	} catch {
		answer = {};
	}
	return new ApiError(answer.error || "http-" + response.status, answer.detail);
}

/*
 * One call. Options: body (object: JSON, Uint8Array: as it is), what (words for
 * the progress bar), raw (answer as bytes), quiet (no progress bar).
 */
async function call(method, path, options) {
	const o = options || {};
	const work = async () => {
		const response = await request(method, path, o.body);
		if (!response.ok) {
			const error = await failure(response);
			if (error.code === "not-logged-in" && hooks.ended)
				hooks.ended("ended");
			throw error;
		}
		return o.raw ? new Uint8Array(await response.arrayBuffer()) : response.json();
	};
	return o.quiet ? work() : withProgress(o.what || t("wait.device"), work);
}

function may(method, path) {
	return session.may.includes(method + " " + path);
}

/* Keep what login and GET /api/session say. */
function takeSession(answer) {
	Object.assign(session, answer);
	if (answer.absolute_s)
		session.ends_at = Date.now() + answer.absolute_s * 1000;
}

/* A refusal in full: what, the device's own words, how to mend it. */
function errorBox(error) {
	if (!(error instanceof ApiError))
		return notice("bad", t("error.page", { text: error.message }));
	return notice("bad", el("strong", {}, error.message),
		error.detail ? el("p", { class: "detail" }, t("error.detail"), " ",
			el("code", {}, error.detail)) : null,
		texts.map["fix." + error.code] ? el("p", {}, t("fix." + error.code)) : null);
}

/* Run something that may fail, and say so in a place of the page. */
async function attempt(place, work) {
	place.replaceChildren();
	try {
		await work();
		return true;
	} catch (error) {
		if (!(error instanceof ApiError && error.code === "not-logged-in"))
			place.replaceChildren(errorBox(error));
		return false;
	}
}
