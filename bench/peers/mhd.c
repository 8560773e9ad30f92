/*
 * mhd.c - libmicrohttpd with libjwt, the libraries that a C program would
 * take: /health without a guard, /protected with one.
 *
 *	mhd PORT THREADS, and the key in JWT_SECRET_KEY
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jwt.h>
#include <microhttpd.h>

#define CONNECTIONS 2000

static const char *key;
static struct MHD_Response *health, *message, *refused, *nothing;

static bool
verify(struct MHD_Connection *connection)
{
	const char *header;
	jwt_t *jwt = NULL;
	bool good;
	long exp;

	header = MHD_lookup_connection_value(
	    connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_AUTHORIZATION);
	if (header == NULL || strncmp(header, "Bearer ", 7) != 0)
		return (false);
	if (jwt_decode(&jwt, header + 7, (const unsigned char *)key,
		(int)strlen(key)) != 0)
		return (false);
	exp = jwt_get_grant_int(jwt, "exp");
	good = jwt_get_alg(jwt) == JWT_ALG_HS256 && exp > time(NULL);
	jwt_free(jwt);
	return (good);
}

/* Answers that never change are made once. */
static struct MHD_Response *
make(const char *body)
{
	struct MHD_Response *response;

	response = MHD_create_response_from_buffer(
	    strlen(body), (void *)(uintptr_t)body, MHD_RESPMEM_PERSISTENT);
	if (response == NULL ||
	    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
		"application/json") != MHD_YES)
		exit(1);
	return (response);
}

static enum MHD_Result
answer(void *cls, struct MHD_Connection *connection, const char *url,
    const char *method, const char *version, const char *data, size_t *len,
    void **state)
{
	static int begun;

	(void)cls;
	(void)version;
	(void)data;
	(void)len;
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0)
		return (MHD_NO);
	/* The first call only announces the request. */
	if (*state == NULL) {
		*state = &begun;
		return (MHD_YES);
	}
	if (strcmp(url, "/health") == 0)
		return (MHD_queue_response(connection, MHD_HTTP_OK, health));
	if (strcmp(url, "/protected") != 0)
		return (MHD_queue_response(
		    connection, MHD_HTTP_NOT_FOUND, nothing));
	if (!verify(connection))
		return (MHD_queue_response(
		    connection, MHD_HTTP_UNAUTHORIZED, refused));
	return (MHD_queue_response(connection, MHD_HTTP_OK, message));
}

int
main(int argc, char **argv)
{
	struct MHD_Daemon *daemon;
	struct sockaddr_in sin;
	unsigned int threads;
	sigset_t set;
	int received;

	key = getenv("JWT_SECRET_KEY");
	threads = argc == 3 ? (unsigned int)atoi(argv[2]) : 0;
	if (key == NULL || threads == 0) {
		(void)fprintf(stderr, "usage: mhd PORT THREADS\n");
		return (2);
	}
	health = make("{\"status\":\"ok\"}");
	message = make("{\"message\":\"This is a protected route, and you are "
		       "authenticated!\"}");
	refused = make("{\"msg\":\"Missing or bad token\"}");
	nothing = make("{\"msg\":\"Not found\"}");
	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	sin.sin_port = htons((uint16_t)atoi(argv[1]));
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	/* A pool of one is not allowed: none is one thread. */
	daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL,
	    answer, NULL, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&sin,
	    MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS,
	    MHD_OPTION_THREAD_POOL_SIZE, threads > 1 ? threads : 0,
	    MHD_OPTION_END);
	if (daemon == NULL) {
		(void)fprintf(stderr, "mhd: cannot listen\n");
		return (1);
	}
	(void)sigwait(&set, &received);
	MHD_stop_daemon(daemon);
	return (0);
}
