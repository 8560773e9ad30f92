// Fastify with @fastify/jwt; JWT_CACHE=1 turns the cache of verified tokens on.
'use strict';

require('./workers')(async (port, key) => {
	const app = require('fastify')({ logger: false });

	app.register(require('@fastify/jwt'), {
		secret: key,
		verify: {
			algorithms: ['HS256'],
			requiredClaims: ['exp'],
			cache: process.env.JWT_CACHE === '1',
		},
	});
	app.get('/health', async () => ({ status: 'ok' }));
	app.get('/protected', {
		onRequest: async (request, reply) => {
			try {
				await request.jwtVerify();
			} catch (error) {
				// Some of these would be answered with 500.
				return reply.code(401).send({ msg: error.message });
			}
		},
	}, async () => ({
		message: 'This is a protected route, and you are authenticated!',
	}));
	await app.listen({ port, host: '127.0.0.1' });
});
