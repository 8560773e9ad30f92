/*
 * main.c - the client that bench/compare times servers with: one thread, many
 * kept connections, on each of them one request at a time. Loopback only,
 * bounded in time.
 *
 *	drive PORT CONNECTIONS SECONDS get PATH [TOKENS]
 *	drive PORT CONNECTIONS SECONDS mint PATH TOKEN KEY COUNT
 *	drive PORT CONNECTIONS SECONDS post PATH BODIES
 *	drive PORT CONNECTIONS SECONDS refresh PATH TOKENS
 *	drive PORT CONNECTIONS SECONDS hold PATH
 *
 * TOKENS and BODIES are files of lines, sent in turn. mint makes COUNT tokens
 * like the one in the file TOKEN, each sent once, signed with the key in the
 * file KEY. refresh takes a token for each connection, goes on with the one in
 * each answer and leaves the last ones in the file. hold asks once on each
 * connection, says "held" and keeps them until its input ends.
 *
 * Prints one line of name=value pairs, latencies in microseconds; "opening"
 * are requests that opened the connections and are not among the others. Any answer
 * but 200, and an answer to GET that differs from the first, ends it with 1.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include "../client.h"
#include "drive.h"

#define CONNECTIONS_MAX 20000
#define SECONDS_MAX     120
#define ANSWER_MAX      4096
#define EVENTS          256
#define PATIENCE_MS     20000

enum kind { GET, MINT, POST, REFRESH, HOLD };

struct connection {
	int fd;
	bool waiting;
	struct request *request;
	int64_t sent_ns;
	size_t have;
	char answer[ANSWER_MAX];
};

static struct drive {
	int port;
	int poll;
	enum kind kind;
	const char *path;
	struct requests requests;
	struct connection *connections;
	size_t count;
	size_t waiting;
	int64_t end_ns; /* no request is begun after it */
	int64_t last_ns;
	bool running;   /* the clock runs */
	size_t opening; /* requests before it did */
	size_t reconnects;
	char *expected; /* the first answer's body */
	size_t expected_len;
	struct histogram histogram;
} d;

static void connection_open(struct connection *);
static struct request *next_request(struct connection *);
static void ask(struct connection *, int64_t);
static void take(struct connection *);
static void check(struct connection *, const struct answer *);
static void wait_for_answers(void);
static void open_all(void);
static void parse(int, char **, double *);
static void report(double);

static void
connection_open(struct connection *c)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};

	c->fd = dial_or_exit(d.port, 0);
	if (epoll_ctl(d.poll, EPOLL_CTL_ADD, c->fd, &event) == -1)
		fail("epoll_ctl: %s", strerror(errno));
}

static struct request *
next_request(struct connection *c)
{
	struct requests *r = &d.requests;

	if (d.kind == REFRESH)
		return (&r->all[c - d.connections]);
	if (r->next == r->count) {
		if (!r->endless)
			return (NULL);
		r->next = 0;
	}
	return (&r->all[r->next++]);
}

/* Send the next request, unless the time or the requests are at an end. */
static void
ask(struct connection *c, int64_t now)
{
	if (now >= d.end_ns || (c->request = next_request(c)) == NULL)
		return;
	c->sent_ns = now;
	if (send(c->fd, c->request->bytes, c->request->len, MSG_NOSIGNAL) !=
	    (ssize_t)c->request->len)
		fail("a request could not be sent: %s", strerror(errno));
	c->waiting = true;
	d.waiting++;
}

static void
take(struct connection *c)
{
	struct answer answer;
	ssize_t n;
	int whole;

	n = recv(c->fd, c->answer + c->have, ANSWER_MAX - 1 - c->have, 0);
	if (n <= 0 && c->waiting)
		fail("an answer is missing: %s",
		    n == 0 ? "connection closed" : strerror(errno));
	if (n <= 0) {
		/* Kept for long enough, to the server's mind. */
		(void)close(c->fd);
		connection_open(c);
		d.reconnects++;
		return;
	}
	c->have += (size_t)n;
	c->answer[c->have] = '\0';
	whole = c->waiting ? answer_parse(c->answer, c->have, &answer) : -1;
	if (whole == -1 || (whole == 0 && c->have == ANSWER_MAX - 1))
		fail("cannot be understood: %.200s", c->answer);
	if (whole == 0)
		return;
	d.last_ns = now_ns();
	histogram_add(&d.histogram, d.last_ns - c->sent_ns);
	check(c, &answer);
	c->have = 0;
	c->waiting = false;
	d.waiting--;
	if (answer.last) {
		(void)close(c->fd);
		connection_open(c);
		d.reconnects++;
	}
	if (d.running)
		ask(c, d.last_ns);
}

static void
check(struct connection *c, const struct answer *answer)
{
	if (answer->status != 200 || answer->len != c->have)
		fail("not the answer that was asked for: %.400s", c->answer);
	if (d.kind == REFRESH) {
		if (!requests_renew(c->request, d.path, answer))
			fail("no refresh token in: %.400s", c->answer);
		return;
	}
	if (d.kind == POST)
		return;
	if (d.expected == NULL) {
		d.expected = strndup(answer->body, answer->body_len);
		d.expected_len = answer->body_len;
	}
	if (d.expected == NULL || d.expected_len != answer->body_len ||
	    memcmp(d.expected, answer->body, d.expected_len) != 0)
		fail("not the same answer as before: %.400s", c->answer);
}

static void
wait_for_answers(void)
{
	struct epoll_event events[EVENTS];
	int i, n;

	while (d.waiting > 0) {
		n = epoll_wait(d.poll, events, EVENTS, PATIENCE_MS);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			fail("no answer for %d s", PATIENCE_MS / 1000);
		for (i = 0; i < n; i++)
			take(events[i].data.ptr);
	}
}

/* One after the other: a server that takes its time to accept does so before
 * the clock runs. A login each would take too long; nor is a refresh for free. */
static void
open_all(void)
{
	size_t i;

	d.end_ns = INT64_MAX;
	for (i = 0; i < d.count; i++) {
		connection_open(&d.connections[i]);
		if (d.kind != POST && d.kind != REFRESH) {
			ask(&d.connections[i], now_ns());
			wait_for_answers();
			d.opening++;
		}
	}
	memset(&d.histogram, 0, sizeof(d.histogram));
}

static void
parse(int argc, char **argv, double *seconds)
{
	const char *kind = argc > 5 ? argv[4] : "", *file;

	file = argc > 6 ? argv[6] : NULL;
	if (argc > 5) {
		d.port = atoi(argv[1]);
		d.count = strtoul(argv[2], NULL, 10);
		*seconds = atof(argv[3]);
		d.path = argv[5];
	}
	if (d.count == 0 || d.count > CONNECTIONS_MAX || *seconds <= 0 ||
	    *seconds > SECONDS_MAX)
		fail("usage: drive PORT CONNECTIONS SECONDS KIND PATH...");
	if (strcmp(kind, "get") == 0 && argc <= 7)
		requests_get(&d.requests, d.path, file);
	else if (strcmp(kind, "mint") == 0 && argc == 9) {
		d.kind = MINT;
		requests_mint(&d.requests, d.path, file, argv[7],
		    strtoul(argv[8], NULL, 10));
	} else if (strcmp(kind, "post") == 0 && argc == 7) {
		d.kind = POST;
		requests_post(&d.requests, d.path, file);
	} else if (strcmp(kind, "refresh") == 0 && argc == 7) {
		d.kind = REFRESH;
		requests_refresh(&d.requests, d.path, file);
	} else if (strcmp(kind, "hold") == 0 && argc == 6) {
		d.kind = HOLD;
		requests_get(&d.requests, d.path, NULL);
	} else
		fail("'%s' with these arguments is not known", kind);
	if (d.requests.count == 0 ||
	    (d.kind == REFRESH && d.requests.count < d.count))
		fail("not enough lines in %s", file == NULL ? "-" : file);
}

static void
report(double seconds)
{
	const struct histogram *h = &d.histogram;

	printf(
	    "requests=%llu opening=%zu seconds=%.6f rate=%.1f p50=%.1f p99=%.1f "
	    "max=%.1f reconnects=%zu\n",
	    (unsigned long long)h->total, d.opening, seconds,
	    (double)h->total / seconds, histogram_at(h, 0.5),
	    histogram_at(h, 0.99), (double)h->most / 1e3, d.reconnects);
}

int
main(int argc, char **argv)
{
	struct rlimit files;
	double seconds = 0;
	int64_t start;
	size_t i;

	parse(argc, argv, &seconds);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	d.poll = epoll_create1(EPOLL_CLOEXEC);
	d.connections = calloc(d.count, sizeof(*d.connections));
	if (d.poll == -1 || d.connections == NULL)
		fail("out of memory or files");
	open_all();
	if (d.kind == HOLD) {
		printf("held\n");
		(void)fflush(stdout);
		while (getchar() != EOF)
			;
		return (0);
	}
	start = now_ns();
	d.end_ns = start + (int64_t)(seconds * 1e9);
	d.running = true;
	for (i = 0; i < d.count; i++)
		ask(&d.connections[i], now_ns());
	wait_for_answers();
	if (d.histogram.total == 0)
		fail("nothing was asked");
	report((double)(d.last_ns - start) / 1e9);
	if (d.kind == REFRESH)
		requests_save(&d.requests, argv[6]);
	return (0);
}
