/*
 * nginx.h - the real nginx before the service, for one test: one process in
 * the foreground with a configuration of the test's own, in a temporary folder,
 * stopped by its pid.
 */
#ifndef CORGI_TEST_NGINX_H
#define CORGI_TEST_NGINX_H

struct nginx;

/*
 * Start it and wait until it takes connections; a failure ends the test. http
 * is the text within the http block; @PORT@ in it becomes the port. Call it
 * from a test's main thread.
 */
struct nginx *nginx_start(const char *http);

/* Stop it at once; fails the test when it does not end by itself. */
void nginx_stop(struct nginx *n);

/* Where it listens (127.0.0.1). */
int nginx_port(const struct nginx *n);

/* Its error log; free() it. */
char *nginx_log(const struct nginx *n);

#endif
