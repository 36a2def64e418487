// Chromium's part of the vectors, and the order of all parts; see make.py.
// usage: node make.mjs PLAYWRIGHT_CORE CHROMIUM   (from the project folder)
// WORK is below out/, so that the build root sees it too.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { createServer } from "node:https";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const [playwright, executablePath] = process.argv.slice(2);
const { chromium } = createRequire(import.meta.url)(playwright);
const WORK = "out/vectors";
const RP_ID = "sign.soc.example.gov.vn";
const inside = (...words) => execFileSync("toolchain/env/enter",
    ["--", ...words], { stdio: ["ignore", "inherit", "inherit"] });
const make = (step) => inside("python3", "tests/vectors/make.py", step, `/src/${WORK}`);

rmSync(WORK, { recursive: true, force: true });
mkdirSync(WORK, { recursive: true });
make("keys");
inside("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
    "-nodes", "-subj", `/CN=${RP_ID}`, "-days", "2", "-keyout", `${WORK}/tls.key`,
    "-out", `${WORK}/tls.crt`);
const server = createServer({ key: readFileSync(`${WORK}/tls.key`),
    cert: readFileSync(`${WORK}/tls.crt`) }, (_, answer) => {
    answer.setHeader("Content-Type", "text/html");
    answer.end("<!doctype html><title>vectors</title>");
});
await new Promise((done) => server.listen(0, "127.0.0.1", done));
const port = server.address().port;
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox",
    "--ignore-certificate-errors", `--host-resolver-rules=MAP ${RP_ID} 127.0.0.1`] });
try {
    const page = await (await browser.newContext({ ignoreHTTPSErrors: true })).newPage();
    const cdp = await page.context().newCDPSession(page);
    await cdp.send("WebAuthn.enable");
    await cdp.send("WebAuthn.addVirtualAuthenticator", { options: { protocol: "ctap2",
        ctap2Version: "ctap2_1", transport: "usb", hasResidentKey: true,
        hasUserVerification: true, isUserVerified: true } });
    await page.goto(`https://${RP_ID}:${port}/`);
    const keys = await page.evaluate(async (rpId) => {
        const list = (b) => Array.from(new Uint8Array(b));
        window.pair = await crypto.subtle.generateKey(
            { name: "ECDSA", namedCurve: "P-256" }, false, ["sign", "verify"]);
        window.credential = await navigator.credentials.create({ publicKey: {
            rp: { id: rpId, name: "vectors" }, challenge: new Uint8Array(32),
            user: { id: new Uint8Array(8), name: "officer", displayName: "officer" },
            pubKeyCredParams: [{ type: "public-key", alg: -7 }],
            authenticatorSelection: { userVerification: "required" } } });
        return { crypto: list(await crypto.subtle.exportKey("spki", pair.publicKey)),
            webauthn: list(credential.response.getPublicKey()) };
    }, RP_ID);
    writeFileSync(`${WORK}/chromium-webcrypto.spki`, Buffer.from(keys.crypto));
    writeFileSync(`${WORK}/chromium-webauthn.spki`, Buffer.from(keys.webauthn));
    make("keyset");
    const signed = readFileSync(`${WORK}/signed`);
    const challenge = createHash("sha256").update(signed).digest();
    const out = await page.evaluate(async ([message, hash]) => {
        const list = (b) => Array.from(new Uint8Array(b));
        const raw = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" },
            pair.privateKey, new Uint8Array(message));
        const got = (await navigator.credentials.get({ publicKey: {
            challenge: new Uint8Array(hash), userVerification: "required",
            allowCredentials: [{ type: "public-key", id: credential.rawId }] } })).response;
        return { raw: list(raw), auth: list(got.authenticatorData),
            client: list(got.clientDataJSON), sig: list(got.signature) };
    }, [Array.from(signed), Array.from(challenge)]);
    writeFileSync(`${WORK}/chromium-webcrypto.sig`, der(Buffer.from(out.raw)));
    writeFileSync(`${WORK}/chromium-webauthn.auth`, Buffer.from(out.auth));
    writeFileSync(`${WORK}/chromium-webauthn.client`, Buffer.from(out.client));
    writeFileSync(`${WORK}/chromium-webauthn.sig`, Buffer.from(out.sig));
} finally {
    await browser.close();
    server.close();
}
make("assemble");
rmSync(WORK, { recursive: true });

// WebCrypto gives r and s side by side; artifacts hold DER (FORMAT.manifest.md).
function der(raw) {
    const number = (b) => {
        let at = 0;
        while (at < b.length - 1 && b[at] === 0) at++;
        const v = b[at] & 0x80 ? Buffer.concat([Buffer.of(0), b.subarray(at)]) : b.subarray(at);
        return Buffer.concat([Buffer.of(2, v.length), v]);
    };
    const body = Buffer.concat([number(raw.subarray(0, 32)), number(raw.subarray(32))]);
    return Buffer.concat([Buffer.of(0x30, body.length), body]);
}
