// Express with jsonwebtoken.
'use strict';

const { createSecretKey } = require('node:crypto');
const jwt = require('jsonwebtoken');

function guard(secret) {
	// A string would be tried as a public key first, for every request.
	const key = createSecretKey(Buffer.from(secret));

	return (req, res, next) => {
		const [scheme, token] = (req.headers.authorization || '').split(' ');

		if (scheme !== 'Bearer' || !token)
			return res.status(401).json({ msg: 'Missing token' });
		try {
			req.claims = jwt.verify(token, key, { algorithms: ['HS256'] });
		} catch (error) {
			return res.status(401).json({ msg: error.message });
		}
		if (req.claims.exp === undefined)
			return res.status(401).json({ msg: 'Missing claim: exp' });
		return next();
	};
}

require('./workers')((port, key) => {
	const app = require('express')();

	app.get('/health', (req, res) => res.json({ status: 'ok' }));
	app.get('/protected', guard(key), (req, res) => res.json({
		message: 'This is a protected route, and you are authenticated!',
	}));
	app.listen(port, '127.0.0.1');
});
