// Runs a server as one process, or as WORKERS processes of a cluster.
'use strict';

const cluster = require('node:cluster');

module.exports = (serve) => {
	const workers = Number(process.env.WORKERS || 1);

	if (workers > 1 && cluster.isPrimary) {
		for (let i = 0; i < workers; i++)
			cluster.fork();
		cluster.on('exit', () => process.exit(1));
		process.on('SIGTERM', () => process.exit(0));
		return;
	}
	serve(Number(process.env.PORT), process.env.JWT_SECRET_KEY);
};
