/*
 * What this page knows about tokens: how to take one apart, what its parts
 * mean, and how to spoil it. Nothing here touches the page or the service.
 */

/* The largest time a Date can hold, in seconds. */
const DATE_MAX_S = 8.64e12;

export const CLAIM_WORDS = new Map([
	["sub", "Whom the token speaks for: the account, by the name it was made "
	    + "with."],
	["iat", "When the service issued it."],
	["nbf", "It counts from this moment on, not before."],
	["exp", "When it ends. After that the guarded routes answer 401."],
	["jti", "The token's own number: no two tokens share one."],
	["type", "What it is for: the guarded routes want “access”."],
	["fresh", "Whether a password was typed for this very token: a login "
	    + "makes fresh ones, a refresh does not."],
	["csrf", "A second secret for tokens kept in cookies. A token sent in a "
	    + "header has no need of it."],
	["iss", "Who issued it."],
	["aud", "For whom it is meant."],
	["sid", "The session it belongs to, which a login began and a logout "
	    + "ends."],
	["ver", "How often the account's tokens have been taken back so far: "
	    + "with a lower number it is refused."],
	["roles", "What the account may do."],
]);

export const HEADER_WORDS = new Map([
	["alg", "How it is signed. The service takes only its own algorithm, "
	    + "whatever stands here."],
	["typ", "What kind of thing this is: a JSON Web Token."],
	["kid", "Which of the service's keys signed it."],
]);

export const TIMES = new Set(["iat", "nbf", "exp"]);

export const isTime = (value) => typeof value === "number"
    && Math.abs(value) <= DATE_MAX_S;

/*
 * The object in one segment. base64url to bytes, bytes as UTF-8 (atob alone
 * would give one character per byte), then JSON; throws with a reason.
 */
export function decodeSegment(segment) {
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

export function decodeBytes(segment) {
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

export function tryDecode(segment) {
	try {
		return decodeSegment(segment);
	} catch {
		return null;
	}
}

/* Altering one, given its three parts; false when it cannot be done. */

/* The first character, for the last one may hold bits that do not count. */
export function alterSignature(parts) {
	if (parts[2] === "")
		return false;
	parts[2] = (parts[2][0] === "A" ? "B" : "A") + parts[2].slice(1);
	return true;
}

export function alterPayload(parts) {
	const claims = tryDecode(parts[1]);

	if (!claims)
		return false;
	claims.sub = claims.sub === "admin" ? "root" : "admin";
	parts[1] = encodeSegment(claims);
	return true;
}

export function alterAlgorithm(parts) {
	const header = tryDecode(parts[0]);

	if (!header)
		return false;
	header.alg = "none";
	parts[0] = encodeSegment(header);
	parts[2] = "";
	return true;
}
