/*
 * ports.c - a port for a server that is stopped and started again.
 */
#include <sys/socket.h>

#include <netinet/in.h>

#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "ports.h"
#include "process.h"

/* Below the ports of outgoing connections, above the well-known ones. */
#define FIRST 10240
#define COUNT 20000

/* Far enough apart that processes of neighbouring pids do not meet. */
#define STEP 61

int
steady_port(void)
{
	static unsigned int calls;
	struct sockaddr_in sin;
	unsigned int at, i;
	int fd, port;
	bool good;

	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	at = (unsigned int)getpid() * STEP + (unsigned int)now_ms();
	for (i = 0; i < COUNT; i++) {
		port = FIRST + (int)((at + calls++ * STEP) % COUNT);
		sin.sin_port = htons((uint16_t)port);
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		good = fd != -1 &&
		    bind(fd, (struct sockaddr *)&sin, sizeof(sin)) == 0;
		if (fd != -1)
			(void)close(fd);
		if (good)
			return (port);
	}
	cr_assert_fail("no free port");
	return (-1);
}
