// What nginx's JavaScript module has for it: crypto, and no library for JWT.
import crypto from 'crypto';

const key = process.env.JWT_SECRET_KEY;
const message = JSON.stringify({
	message: 'This is a protected route, and you are authenticated!',
});

function decode(part) {
	return JSON.parse(Buffer.from(part, 'base64url').toString());
}

function verify(token) {
	const parts = token.split('.');

	if (parts.length !== 3 || decode(parts[0]).alg !== 'HS256')
		return false;
	const mac = crypto.createHmac('sha256', key)
		.update(parts[0] + '.' + parts[1]).digest('base64url');
	if (mac !== parts[2])
		return false;
	const exp = decode(parts[1]).exp;
	return typeof exp === 'number' && exp > Date.now() / 1000;
}

function guarded(r) {
	const header = r.headersIn.Authorization || '';
	let good = false;

	try {
		good = header.startsWith('Bearer ') && verify(header.slice(7));
	} catch (error) {
		good = false;
	}
	r.headersOut['Content-Type'] = 'application/json';
	if (good)
		r.return(200, message);
	else
		r.return(401, '{"msg":"Missing or bad token"}');
}

export default { guarded };
