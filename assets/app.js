/*
 * Corgi's page: log in, take the token apart, call the guarded routes.
 *
 * The token lives in this module's variables and in the text area, nowhere
 * else. Whatever came from outside reaches the page as text, never as markup.
 */

const ANSWERS_KEPT = 50;
const WAIT_MS = 15000;
const SHORT_LIFE_S = 60;

/* The largest time a Date can hold, in seconds. */
const DATE_MAX_S = 8.64e12;

const HEADERS_SHOWN = [
	"WWW-Authenticate", "Cache-Control", "Allow", "Retry-After",
];

const CLAIM_WORDS = new Map([
	["sub", "Whom the token speaks for: the username."],
	["iat", "When the service issued it."],
	["nbf", "It counts from this moment on, not before."],
	["exp", "When it ends. After that the guarded routes answer 401."],
	["jti", "The token's own number: no two tokens share one."],
	["type", "What it is for: the guarded routes want “access”."],
	["fresh", "Whether a password was typed for this very token."],
	["csrf", "A second secret for tokens kept in cookies. A token sent in a "
	    + "header has no need of it."],
	["iss", "Who issued it."],
	["aud", "For whom it is meant."],
]);

const HEADER_WORDS = new Map([
	["alg", "How it is signed. The service takes only its own algorithm, "
	    + "whatever stands here."],
	["typ", "What kind of thing this is: a JSON Web Token."],
	["kid", "Which of the service's keys signed it."],
]);

const TIME_FORMAT = new Intl.DateTimeFormat(undefined,
    { dateStyle: "medium", timeStyle: "medium" });

const TIMES = new Set(["iat", "nbf", "exp"]);

const find = (id) => document.getElementById(id);

const tokenBox = find("token");
const loginForm = find("login");
const loginButton = find("login-button");
const answers = find("answers");

/* The token as the service issued it, to be put back after an alteration. */
let issued = "";

/* The request behind an entry of the log. */
const requests = new WeakMap();

/* What the service's clock is ahead of this machine's, in seconds. */
let clockAhead = 0;

/* Small builders: text only. */

function element(tag, className, text) {
	const node = document.createElement(tag);

	if (className)
		node.className = className;
	if (text !== undefined)
		node.textContent = text;
	return node;
}

function say(id, text, kind) {
	const node = find(id);

	node.textContent = text;
	node.className = kind ? `message ${kind}` : "message";
}

/* Times. */

const serviceNow = () => Date.now() / 1000 + clockAhead;

/*
 * A browser's clock may be wrong; the life of a token is counted by the
 * service's. The Date header has whole seconds, so less is no difference.
 */
function learnClock(headers) {
	const date = Date.parse(headers.get("Date") ?? "");

	if (Number.isNaN(date))
		return;
	const ahead = (date - Date.now()) / 1000;
	clockAhead = Math.abs(ahead) > 2 ? ahead : 0;
}

function duration(seconds) {
	const s = Math.floor(seconds);
	const units = [
		[Math.floor(s / 86400), "d"],
		[Math.floor(s / 3600) % 24, "h"],
		[Math.floor(s / 60) % 60, "min"],
		[s % 60, "s"],
	];
	const first = units.findIndex(([n]) => n > 0);

	if (first === -1)
		return "0 s";
	return units.slice(first, first + 2)
	    .map(([n, unit]) => `${n} ${unit}`).join(" ");
}

const isTime = (value) => typeof value === "number"
    && Math.abs(value) <= DATE_MAX_S;

/* Taking a token apart. */

/*
 * The object in one segment. base64url to bytes, bytes as UTF-8 (atob alone
 * would give one character per byte), then JSON; throws with a reason.
 */
function decodeSegment(segment) {
	const bytes = decodeBytes(segment);
	let text;

	try {
		text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
	} catch {
		throw new Error("This part is not UTF-8 text.");
	}
	let value;
	try {
		value = JSON.parse(text);
	} catch {
		throw new Error("This part is not JSON.");
	}
	if (value === null || typeof value !== "object" || Array.isArray(value))
		throw new Error("This part is not a JSON object.");
	return value;
}

function decodeBytes(segment) {
	if (!/^[A-Za-z0-9_-]*$/.test(segment) || segment.length % 4 === 1)
		throw new Error("This part is not base64url.");
	const raw = atob(segment.replaceAll("-", "+").replaceAll("_", "/"));
	return Uint8Array.from(raw, (c) => c.charCodeAt(0));
}

function encodeSegment(value) {
	const bytes = new TextEncoder().encode(JSON.stringify(value));
	const raw = Array.from(bytes, (b) => String.fromCharCode(b)).join("");

	return btoa(raw).replaceAll("+", "-").replaceAll("/", "_")
	    .replaceAll("=", "");
}

function tryDecode(segment) {
	try {
		return decodeSegment(segment);
	} catch {
		return null;
	}
}

/* Showing it. */

function claimRow(name, value, words) {
	const row = element("div", "claim");
	const dd = element("dd");
	const text = typeof value === "string" ? value : JSON.stringify(value);

	row.append(element("dt", "", name));
	dd.append(element("code", "", text));
	if (TIMES.has(name) && isTime(value)) {
		const when = new Date(value * 1000);
		const time = element("time", "", TIME_FORMAT.format(when));

		time.dateTime = when.toISOString();
		dd.append(" is ", time);
	}
	dd.append(element("p", "claim-words", words));
	row.append(dd);
	return row;
}

function showObject(id, segment, words, unknown) {
	const body = find(id);
	let value;

	try {
		value = decodeSegment(segment);
	} catch (error) {
		body.replaceChildren(element("p", "fault", error.message));
		return;
	}
	const list = element("dl", "claims");
	const names = new Set([...words.keys(), ...Object.keys(value)]);
	for (const name of names)
		if (Object.hasOwn(value, name))
			list.append(claimRow(name, value[name],
			    words.get(name) ?? unknown));
	const raw = element("details");
	raw.append(element("summary", "", "As JSON"),
	    element("pre", "", JSON.stringify(value, null, 2)));
	body.replaceChildren(list, raw);
}

function showSignature(segment) {
	const body = find("signature-body");
	let words;

	try {
		const size = decodeBytes(segment).length;

		words = size === 0 ? "There is none."
		    : `${size} bytes. Only the service can tell whether they fit: `
		    + "this page does not have the key.";
	} catch (error) {
		body.replaceChildren(element("p", "fault", error.message));
		return;
	}
	body.replaceChildren(element("p", "words", words));
}

function showToken() {
	const token = currentToken();
	const [header = "", payload = "", ...rest] = token.split(".");
	const signature = rest.join(".");

	find("parts").hidden = token === "";
	showLife();
	if (token === "")
		return;
	find("header-segment").textContent = header || "(empty)";
	find("payload-segment").textContent = payload || "(empty)";
	find("signature-segment").textContent = signature || "(empty)";
	showObject("header-body", header, HEADER_WORDS,
	    "Not a member this page has words for.");
	showObject("payload-body", payload, CLAIM_WORDS,
	    "Not a claim this page has words for.");
	showSignature(signature);
}

/* The remaining life; runs every second, so it must not speak aloud. */
function showLife() {
	const claims = tryDecode(currentToken().split(".")[1] ?? "");
	const life = find("life");

	life.hidden = !claims || !isTime(claims.exp);
	if (life.hidden)
		return;
	const left = claims.exp - serviceNow();
	const whole = isTime(claims.iat) ? claims.exp - claims.iat : left;
	const text = left > 0
	    ? [element("strong", "", duration(Math.ceil(left))), " left"]
	    : [element("strong", "", "Expired"), ` ${duration(-left)} ago`];

	find("life-text").replaceChildren(...text);
	find("life-bar").max = Math.max(whole, 1);
	find("life-bar").value = Math.min(Math.max(left, 0), Math.max(whole, 1));
	life.classList.toggle("short", left <= SHORT_LIFE_S);
	life.classList.toggle("over", left <= 0);
}

/* Holding it. */

const currentToken = () => tokenBox.value.trim();

function setToken(token) {
	tokenBox.value = token;
	showToken();
}

function forgetToken() {
	issued = "";
	for (const entry of answers.children) {
		const request = requests.get(entry);

		if (request.token)
			request.token = null;
	}
	setToken("");
	say("token-message", "The token is forgotten.");
}

/* Altering it, to see it refused. */

function alter(change, words) {
	const parts = currentToken().split(".");

	if (parts.length !== 3 || !change(parts)) {
		say("token-message",
		    "There is no whole token to alter: log in first.", "bad");
		return;
	}
	setToken(parts.join("."));
	say("token-message", words);
}

/* The first character, for the last one may hold bits that do not count. */
function alterSignature(parts) {
	if (parts[2] === "")
		return false;
	parts[2] = (parts[2][0] === "A" ? "B" : "A") + parts[2].slice(1);
	return true;
}

function alterPayload(parts) {
	const claims = tryDecode(parts[1]);

	if (!claims)
		return false;
	claims.sub = claims.sub === "admin" ? "root" : "admin";
	parts[1] = encodeSegment(claims);
	return true;
}

function alterAlgorithm(parts) {
	const header = tryDecode(parts[0]);

	if (!header)
		return false;
	header.alg = "none";
	parts[0] = encodeSegment(header);
	parts[2] = "";
	return true;
}

function restoreToken() {
	if (issued === "") {
		say("token-message", "No token has been issued to this page yet.",
		    "bad");
		return;
	}
	setToken(issued);
	say("token-message", "This is the token as it was issued.");
}

/* Asking the service. */

/*
 * Send a request {method, path, token?, username?}. The body is apart, for
 * the log keeps the request and must not keep a password. Always resolves:
 * status 0 with a reason when no answer came.
 */
async function ask(request, body) {
	const headers = {};
	const start = performance.now();
	const answer = { status: 0, headers: new Headers(), data: null };

	if (request.token)
		headers.Authorization = `Bearer ${request.token}`;
	if (body !== undefined)
		headers["Content-Type"] = "application/json";
	try {
		const reply = await fetch(request.path, {
			method: request.method,
			headers,
			body,
			cache: "no-store",
			credentials: "omit",
			redirect: "error",
			signal: AbortSignal.timeout(WAIT_MS),
		});
		const text = await reply.text();

		answer.status = reply.status;
		answer.reason = reply.statusText;
		answer.headers = reply.headers;
		answer.text = text;
		answer.data = parseOrNull(text);
		learnClock(reply.headers);
	} catch (error) {
		answer.text = error.name === "TimeoutError"
		    ? `No answer within ${WAIT_MS / 1000} seconds.`
		    : "The request could not be sent, or was not answered.";
	}
	answer.ms = performance.now() - start;
	logAnswer(request, answer);
	return answer;
}

function parseOrNull(text) {
	try {
		return JSON.parse(text);
	} catch {
		return null;
	}
}

/* The one line in an answer that says what is wrong, in either dialect. */
function reasonOf(answer) {
	const { data } = answer;
	const words = [data?.msg, data?.error, data?.detail, data?.title]
	    .find((text) => typeof text === "string" && text !== "");
	const retry = answer.headers.get("Retry-After");
	const text = words ?? answer.text ?? "";

	return retry ? `${text} (try again in ${retry} s)` : text;
}

async function login(event) {
	event.preventDefault();
	if (loginButton.getAttribute("aria-disabled") === "true")
		return;
	const fields = new FormData(loginForm);
	const username = fields.get("username");
	const password = fields.get("password");

	loginButton.setAttribute("aria-disabled", "true");
	say("login-message", "Asking…");
	const answer = await ask({ method: "POST", path: "/login", username },
	    JSON.stringify({ username, password }));
	loginButton.removeAttribute("aria-disabled");
	showFieldFaults(answer.data?.error ?? answer.data?.errors);
	if (answer.status !== 200 || !answer.data?.access_token) {
		say("login-message", fieldFaults(answer) ? "Look at the fields above."
		    : reasonOf(answer), "bad");
		return;
	}
	find("password").value = "";
	issued = String(answer.data.access_token);
	setToken(issued);
	say("login-message", "Logged in: the token is below.", "good");
	say("token-message", "");
}

function fieldFaults(answer) {
	const faults = answer.data?.error ?? answer.data?.errors;

	return answer.status === 400 && typeof faults === "object"
	    && faults !== null && (faults.username || faults.password);
}

function showFieldFaults(faults) {
	for (const name of ["username", "password"]) {
		const words = [].concat(faults?.[name] ?? []).join(" ");

		find(`${name}-fault`).textContent = words;
		find(name).toggleAttribute("aria-invalid", false);
		if (words !== "")
			find(name).setAttribute("aria-invalid", "true");
	}
}

async function call(event) {
	const { path, with: kind } = event.currentTarget.dataset;
	const request = { method: "GET", path };

	if (kind === "token") {
		request.token = currentToken();
		if (request.token === "") {
			say("call-message",
			    "There is no token yet: log in, or paste one.", "bad");
			return;
		}
	}
	const answer = await ask(request);
	const good = answer.status === 200;

	say("call-message", `${path}: ${answer.status || "no answer"}. `
	    + (good ? answer.data?.message ?? "" : reasonOf(answer)),
	    good ? "good" : "bad");
}

/* The log. */

/* A token in a body is shown cut down: the page has it whole further up. */
function shorten(key, value) {
	if (typeof value !== "string" || value.length < 60
	    || value.split(".").length !== 3)
		return value;
	return `${value.slice(0, 12)}…${value.slice(-6)}`
	    + ` (${value.length} characters)`;
}

const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/* The same request for a shell. A password is never put in. */
function curl(request) {
	const words = ["curl -i"];

	if (request.method !== "GET")
		words.push(`-X ${request.method}`);
	if (request.username !== undefined) {
		const { username } = request;
		const sample = JSON.stringify({ username, password: "PASSWORD" });

		words.push("-H 'Content-Type: application/json'",
		    `--data ${quote(sample)}`);
	}
	if (request.token)
		words.push(`-H ${quote(`Authorization: Bearer ${request.token}`)}`);
	else if (request.token === null)
		words.push('-H "Authorization: Bearer $TOKEN"');
	words.push(quote(location.origin + request.path));
	return words.join(" ");
}

async function copy(text) {
	try {
		await navigator.clipboard.writeText(text);
		return true;
	} catch {
		/* No clipboard outside a secure context, or no leave to use it. */
		return false;
	}
}

function curlButton(request, entry) {
	const button = element("button", "small", "Copy as curl");

	button.type = "button";
	button.append(element("span", "unseen",
	    `: ${request.method} ${request.path}`));
	button.addEventListener("click", async () => {
		const command = curl(request);
		const label = button.firstChild;

		entry.querySelector(".curl")?.remove();
		if (!await copy(command)) {
			const pre = element("pre", "curl", command);

			entry.append(pre);
			getSelection().selectAllChildren(pre);
			return;
		}
		label.data = request.username === undefined ? "Copied"
		    : "Copied: put the password in";
		setTimeout(() => {
			label.data = "Copy as curl";
		}, 2000);
	});
	return button;
}

function headerLines(headers) {
	return HEADERS_SHOWN.filter((name) => headers.has(name))
	    .map((name) => `${name}: ${headers.get(name)}`).join("\n");
}

function logAnswer(request, answer) {
	const kind = answer.status >= 200 && answer.status < 300 ? "good"
	    : answer.status === 0 || answer.status >= 500 ? "bad" : "refused";
	const entry = element("li", `answer ${kind}`);
	const line = element("div", "answer-line");
	const status = answer.status === 0 ? "No answer"
	    : `${answer.status} ${answer.reason ?? ""}`.trim();
	const facts = [`${answer.ms.toFixed(answer.ms < 10 ? 1 : 0)} ms`,
	    new Date().toLocaleTimeString()];

	if (request.method === "GET")
		facts.unshift(request.token ? "with a token" : "without a token");
	line.append(element("span", "status", status),
	    element("code", "", `${request.method} ${request.path}`));
	entry.dataset.status = answer.status;
	entry.append(line, element("p", "answer-facts", facts.join(" · ")));
	const shown = headerLines(answer.headers);
	if (shown !== "")
		entry.append(element("pre", "", shown));
	entry.append(element("pre", "", answer.data === null ? answer.text
	    : JSON.stringify(answer.data, shorten, 2)),
	curlButton(request, entry));
	requests.set(entry, request);
	answers.prepend(entry);
	answers.closest(".answers").scrollTop = 0;
	while (answers.childElementCount > ANSWERS_KEPT)
		answers.lastElementChild.remove();
	find("answers-empty").hidden = true;
}

function clearAnswers() {
	answers.replaceChildren();
	find("answers-empty").hidden = false;
}

/* Wiring. */

function onClick(id, handler) {
	find(id).addEventListener("click", handler);
}

loginForm.addEventListener("submit", login);
tokenBox.addEventListener("input", showToken);
onClick("tamper-signature", () => alter(alterSignature,
    "One character of the signature is changed. Call a route with it."));
onClick("tamper-payload", () => alter(alterPayload,
    "The payload names somebody else now. Call a route with it."));
onClick("tamper-alg", () => alter(alterAlgorithm,
    "It claims to need no signature now. Call a route with it."));
onClick("restore", restoreToken);
onClick("forget", forgetToken);
onClick("clear", clearAnswers);
for (const button of document.querySelectorAll("[data-path]"))
	button.addEventListener("click", call);
setInterval(showLife, 1000);
showToken();
