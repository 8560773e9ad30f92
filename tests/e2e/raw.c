/*
 * raw.c - a TCP client that sends exact bytes and reads responses strictly.
 */
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "process.h"
#include "raw.h"

/* Longest head and body of a response that is taken (bytes). */
#define HEAD_MAX 65536
#define BODY_MAX ((size_t)16 * 1024 * 1024)

struct raw {
	int fd;
	int wait_ms;
	bool closed; /* the peer has */
	char *data;  /* read, but not yet taken apart */
	size_t used;
	size_t size;
};

static struct raw *raw_dial(int, const char *, bool);
static void raw_room(struct raw *, size_t);
static enum raw_result raw_fill(struct raw *);
static void raw_drop(struct raw *, size_t);
static char *raw_copy(const char *, size_t);
static bool parse_status(struct raw_response *, const char *, size_t);
static bool parse_field(struct raw_response *, const char *, size_t);
static bool parse_head(struct raw_response *, const char *, size_t);
static bool body_length(const struct raw_response *, bool, size_t *);

/* Connect; from is the address to come from, or NULL. */
static struct raw *
raw_dial(int port, const char *from, bool narrow)
{
	struct sockaddr_in sin;
	struct raw *r;
	int fd, on;

	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		cr_assert_fail("socket: %s", strerror(errno));
	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	if (from != NULL) {
		if (inet_pton(AF_INET, from, &sin.sin_addr) != 1 ||
		    bind(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1)
			cr_assert_fail("bind %s: %s", from, strerror(errno));
	}
	on = 1;
	if (narrow)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &on, sizeof(on));
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sin.sin_port = htons((uint16_t)port);
	if (connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1) {
		(void)close(fd);
		return (NULL);
	}
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	r = calloc(1, sizeof(*r));
	if (r == NULL)
		cr_assert_fail("out of memory");
	r->fd = fd;
	r->wait_ms = RAW_WAIT_MS;
	return (r);
}

struct raw *
raw_connect(int port)
{
	return (raw_connect_from(port, NULL));
}

struct raw *
raw_connect_from(int port, const char *address)
{
	struct raw *r;

	r = raw_dial(port, address, false);
	if (r == NULL)
		cr_assert_fail("connect: %s", strerror(errno));
	return (r);
}

struct raw *
raw_connect_narrow(int port)
{
	struct raw *r;

	r = raw_dial(port, NULL, true);
	if (r == NULL)
		cr_assert_fail("connect: %s", strerror(errno));
	return (r);
}

struct raw *
raw_try_connect(int port)
{
	return (raw_dial(port, NULL, false));
}

void
raw_close(struct raw *r)
{
	if (r == NULL)
		return;
	(void)close(r->fd);
	free(r->data);
	free(r);
}

int
raw_fd(const struct raw *r)
{
	return (r->fd);
}

void
raw_set_wait(struct raw *r, int ms)
{
	r->wait_ms = ms;
}

bool
raw_send(struct raw *r, const void *data, size_t len)
{
	struct pollfd pfd;
	const char *p;
	ssize_t n;

	p = data;
	while (len > 0) {
		n = send(r->fd, p, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n >= 0) {
			p += n;
			len -= (size_t)n;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return (false);
		pfd = (struct pollfd){.fd = r->fd, .events = POLLOUT};
		if (poll(&pfd, 1, r->wait_ms) <= 0)
			return (false);
	}
	return (true);
}

bool
raw_send_text(struct raw *r, const char *text)
{
	return (raw_send(r, text, strlen(text)));
}

bool
raw_send_cuts(
    struct raw *r, const void *data, size_t len, size_t cut, int pause_us)
{
	const char *p;
	size_t n;

	p = data;
	while (len > 0) {
		n = len < cut ? len : cut;
		if (!raw_send(r, p, n))
			return (false);
		p += n;
		len -= n;
		if (len > 0 && pause_us > 0)
			(void)usleep((useconds_t)pause_us);
	}
	return (true);
}

void
raw_half_close(struct raw *r)
{
	(void)shutdown(r->fd, SHUT_WR);
}

void
raw_reset(struct raw *r)
{
	struct linger hard;

	hard.l_onoff = 1;
	hard.l_linger = 0;
	(void)setsockopt(r->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	raw_close(r);
}

bool
raw_readable(struct raw *r, int ms)
{
	struct pollfd pfd;

	if (r->used > 0 || r->closed)
		return (true);
	pfd = (struct pollfd){.fd = r->fd, .events = POLLIN};
	return (poll(&pfd, 1, ms) == 1);
}

/* Make room for at least len bytes more. */
static void
raw_room(struct raw *r, size_t len)
{
	if (r->size - r->used >= len)
		return;
	r->size = r->size * 2 + 2 * len;
	r->data = realloc(r->data, r->size);
	if (r->data == NULL)
		cr_assert_fail("out of memory");
}

/* Wait for bytes and keep them. */
static enum raw_result
raw_fill(struct raw *r)
{
	struct pollfd pfd;
	ssize_t n;
	int ready;

	if (r->closed)
		return (RAW_CLOSED);
	raw_room(r, 4096);
	pfd = (struct pollfd){.fd = r->fd, .events = POLLIN};
	ready = poll(&pfd, 1, r->wait_ms);
	if (ready == 0)
		return (RAW_TIMEOUT);
	n = recv(r->fd, r->data + r->used, r->size - r->used, 0);
	if (n == -1 && errno == EINTR)
		return (RAW_OK);
	if (n <= 0) {
		r->closed = true;
		return (RAW_CLOSED);
	}
	r->used += (size_t)n;
	return (RAW_OK);
}

void
raw_take(struct raw *r, size_t max)
{
	ssize_t n;

	raw_room(r, max);
	n = recv(r->fd, r->data + r->used, max, MSG_DONTWAIT);
	if (n > 0)
		r->used += (size_t)n;
}

static void
raw_drop(struct raw *r, size_t len)
{
	memmove(r->data, r->data + len, r->used - len);
	r->used -= len;
}

static char *
raw_copy(const char *text, size_t len)
{
	char *copy;

	copy = malloc(len + 1);
	if (copy == NULL)
		cr_assert_fail("out of memory");
	memcpy(copy, text, len);
	copy[len] = '\0';
	return (copy);
}

/* "HTTP/1.1 200 OK" */
static bool
parse_status(struct raw_response *out, const char *line, size_t len)
{
	if (len < 12 || memcmp(line, "HTTP/1.", 7) != 0 ||
	    (line[7] != '0' && line[7] != '1') || line[8] != ' ' ||
	    strspn(line + 9, "0123456789") != 3)
		return (false);
	if (len > 12 && line[12] != ' ')
		return (false);
	out->minor = line[7] - '0';
	out->status = atoi(line + 9);
	out->reason =
	    len > 13 ? raw_copy(line + 13, len - 13) : raw_copy("", 0);
	return (true);
}

/* "Name: value" */
static bool
parse_field(struct raw_response *out, const char *line, size_t len)
{
	const char *colon, *value, *end;

	colon = memchr(line, ':', len);
	if (colon == NULL || colon == line || colon[-1] == ' ' ||
	    colon[-1] == '\t' || *line == ' ' || *line == '\t' ||
	    out->nfields == RAW_FIELDS_MAX)
		return (false);
	value = colon + 1;
	end = line + len;
	while (value < end && (*value == ' ' || *value == '\t'))
		value++;
	while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	out->fields[out->nfields].name = raw_copy(line, (size_t)(colon - line));
	out->fields[out->nfields].value =
	    raw_copy(value, (size_t)(end - value));
	out->nfields++;
	return (true);
}

/* A head up to and without its empty line; every line ends in CR LF. */
static bool
parse_head(struct raw_response *out, const char *head, size_t len)
{
	const char *end, *stop;
	bool first;

	stop = head + len;
	for (first = true; head < stop; first = false) {
		end = memmem(head, (size_t)(stop - head), "\r\n", 2);
		if (end == NULL)
			return (false);
		if (memchr(head, '\n', (size_t)(end - head)) != NULL ||
		    memchr(head, '\0', (size_t)(end - head)) != NULL)
			return (false);
		if (first && !parse_status(out, head, (size_t)(end - head)))
			return (false);
		if (!first && !parse_field(out, head, (size_t)(end - head)))
			return (false);
		head = end + 2;
	}
	return (!first);
}

/*
 * How long the body is. A response that may have one and does not say how long
 * would end with the connection: this service always says it, so that is
 * broken.
 */
static bool
body_length(const struct raw_response *out, bool head, size_t *len)
{
	const char *text;
	char *end;

	*len = 0;
	text = raw_header(out, "content-length");
	if (raw_header_count(out, "content-length") > 1 ||
	    raw_header_count(out, "transfer-encoding") > 0)
		return (false);
	if (head || out->status < 200 || out->status == 204 ||
	    out->status == 304)
		return (true);
	if (text == NULL || *text < '0' || *text > '9')
		return (false);
	*len = strtoul(text, &end, 10);
	return (*end == '\0' && *len <= BODY_MAX);
}

enum raw_result
raw_read(struct raw *r, bool head, struct raw_response *out)
{
	enum raw_result got;
	const char *end;
	size_t len, body;

	memset(out, 0, sizeof(*out));
	for (;;) {
		end = r->used == 0 ? NULL
				   : memmem(r->data, r->used, "\r\n\r\n", 4);
		if (end != NULL)
			break;
		if (r->used > HEAD_MAX)
			return (RAW_BROKEN);
		got = raw_fill(r);
		if (got == RAW_CLOSED && r->used > 0)
			return (RAW_BROKEN);
		if (got != RAW_OK)
			return (got);
	}
	len = (size_t)(end - r->data) + 2;
	if (!parse_head(out, r->data, len) || !body_length(out, head, &body))
		return (RAW_BROKEN);
	raw_drop(r, len + 2);
	while (r->used < body) {
		got = raw_fill(r);
		if (got != RAW_OK)
			return (got == RAW_CLOSED ? RAW_BROKEN : got);
	}
	out->body = raw_copy(body == 0 ? "" : r->data, body);
	out->body_len = body;
	raw_drop(r, body);
	return (RAW_OK);
}

size_t
raw_read_many(struct raw *r, struct raw_response *out, size_t n)
{
	size_t i;

	memset(out, 0, n * sizeof(*out));
	for (i = 0; i < n; i++) {
		if (raw_read(r, false, &out[i]) != RAW_OK)
			break;
	}
	return (i);
}

bool
raw_read_close(struct raw *r, size_t *extra)
{
	enum raw_result got;
	size_t bytes;

	bytes = r->used;
	r->used = 0;
	while ((got = raw_fill(r)) == RAW_OK) {
		bytes += r->used;
		r->used = 0;
	}
	if (extra != NULL)
		*extra = bytes;
	return (got == RAW_CLOSED);
}

void
raw_response_free(struct raw_response *out)
{
	size_t i;

	for (i = 0; i < out->nfields; i++) {
		free(out->fields[i].name);
		free(out->fields[i].value);
	}
	free(out->reason);
	free(out->body);
	memset(out, 0, sizeof(*out));
}

const char *
raw_header(const struct raw_response *out, const char *name)
{
	size_t i;

	for (i = 0; i < out->nfields; i++) {
		if (strcasecmp(out->fields[i].name, name) == 0)
			return (out->fields[i].value);
	}
	return (NULL);
}

size_t
raw_header_count(const struct raw_response *out, const char *name)
{
	size_t i, n;

	n = 0;
	for (i = 0; i < out->nfields; i++) {
		if (strcasecmp(out->fields[i].name, name) == 0)
			n++;
	}
	return (n);
}

int
raw_exchange(
    int port, const void *data, size_t len, bool head, struct raw_response *out)
{
	struct raw_response answer;
	struct raw *r;
	int status;

	r = raw_connect(port);
	memset(&answer, 0, sizeof(answer));
	(void)raw_send(r, data, len);
	status = raw_read(r, head, &answer) == RAW_OK ? answer.status : 0;
	raw_close(r);
	if (out != NULL)
		*out = answer;
	else
		raw_response_free(&answer);
	return (status);
}

int
raw_exchange_text(int port, const char *text, struct raw_response *out)
{
	return (raw_exchange(port, text, strlen(text), false, out));
}
