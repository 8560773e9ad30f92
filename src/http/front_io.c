#include <sys/socket.h>

#include <linux/tcp.h>

#include <errno.h>
#include <string.h>

#include <kore/kore.h>
#include <kore/http.h>

#include "base/secret.h"
#include "http/front_internal.h"

static enum front_read read_tls_more(struct front *);
static enum front_read read_plain(struct front *, uint8_t *, size_t, size_t *);
static enum front_read read_tls(struct front *, uint8_t *, size_t, size_t *);

enum front_read
front_io_read(struct front *fr, uint8_t *buf, size_t size, size_t *len)
{
	if (!(fr->c->evt.flags & KORE_EVENT_READ))
		return (FRONT_READ_LATER);
	if (fr->c->ssl != NULL)
		return (read_tls(fr, buf, size, len));
	return (read_plain(fr, buf, size, len));
}

bool
front_io_flush(struct front *fr)
{
	if (fr->state == FRONT_GONE)
		return (false);
	if (!net_send_flush(fr->c))
		front_io_abort(fr);
	return (fr->state != FRONT_GONE);
}

bool
front_io_handshake(struct front *fr)
{
	int n;

	ERR_clear_error();
	n = SSL_accept(fr->c->ssl);
	if (n == 1) {
		front_handshake_over(fr);
		fr->state = FRONT_READING;
		return (true);
	}
	switch (SSL_get_error(fr->c->ssl, n)) {
	case SSL_ERROR_WANT_READ:
		fr->c->evt.flags &= ~KORE_EVENT_READ;
		if (fr->hangup)
			front_io_abort(fr);
		return (false);
	case SSL_ERROR_WANT_WRITE:
		fr->c->evt.flags &= ~KORE_EVENT_WRITE;
		return (false);
	default:
		front_io_abort(fr);
		return (false);
	}
}

bool
front_io_is_reset(const struct front *fr)
{
	char byte;

	return (recv(fr->c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == -1 &&
	    errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

bool
front_io_pending(const struct front *fr)
{
	return (!TAILQ_EMPTY(&fr->c->send_queue));
}

uint64_t
front_io_taken(const struct front *fr)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	if (getsockopt(fr->c->fd, IPPROTO_TCP, TCP_INFO, &info, &len) == -1)
		return (0);
	return (info.tcpi_bytes_acked);
}

void
front_io_shutdown(struct front *fr)
{
	fr->state = FRONT_DISCARDING;
	fr->discarded = 0;
	front_backlog_drop(fr);
	if (fr->c->ssl != NULL)
		(void)SSL_shutdown(fr->c->ssl);
	if (shutdown(fr->c->fd, SHUT_WR) == -1)
		front_io_abort(fr);
}

void
front_io_discard(struct front *fr)
{
	static uint8_t scratch[FRONT_READ_MAX];
	size_t len;

	while (fr->state == FRONT_DISCARDING) {
		switch (front_io_read(fr, scratch, sizeof(scratch), &len)) {
		case FRONT_READ_DATA:
			fr->discarded += len;
			if (fr->discarded > FRONT_DISCARD_MAX)
				front_io_abort(fr);
			break;
		case FRONT_READ_LATER:
			return;
		case FRONT_READ_END:
		case FRONT_READ_FAILED:
			front_io_abort(fr);
			break;
		}
	}
}

void
front_io_abort(struct front *fr)
{
	/* Calls back into front.c, which marks the front as gone. */
	if (fr->state != FRONT_GONE)
		kore_connection_disconnect(fr->c);
}

void
front_backlog_put(struct front *fr, const uint8_t *data, size_t len)
{
	front_backlog_drop(fr);
	if (len == 0)
		return;
	if (!h1_budget_take(&front_worker.memory, h1_shared_part(len))) {
		front_io_abort(fr);
		return;
	}
	fr->backlog = kore_malloc(len);
	memcpy(fr->backlog, data, len);
	fr->backlog_len = len;
}

void
front_backlog_drop(struct front *fr)
{
	if (fr->backlog != NULL)
		secret_wipe(fr->backlog, fr->backlog_len);
	h1_budget_give(&front_worker.memory, h1_shared_part(fr->backlog_len));
	kore_free(fr->backlog);
	fr->backlog = NULL;
	fr->backlog_off = 0;
	fr->backlog_len = 0;
}

/*
 * The event loop is edge-triggered. A read that fills less than it could has
 * emptied the socket, so the next byte brings a new event and the read that
 * would only say EAGAIN can be saved - unless the peer has ended its side,
 * which has to be read to be seen.
 */
static enum front_read
read_plain(struct front *fr, uint8_t *buf, size_t size, size_t *len)
{
	ssize_t n;

	do {
		n = recv(fr->c->fd, buf, size, 0);
	} while (n == -1 && errno == EINTR);

	if (n == -1) {
		if (errno != EAGAIN && errno != EWOULDBLOCK)
			return (FRONT_READ_FAILED);
		fr->c->evt.flags &= ~KORE_EVENT_READ;
		return (FRONT_READ_LATER);
	}
	if (n == 0)
		return (FRONT_READ_END);
	if ((size_t)n < size && !fr->hangup)
		fr->c->evt.flags &= ~KORE_EVENT_READ;
	*len = (size_t)n;
	return (FRONT_READ_DATA);
}

/*
 * OpenSSL stops after each record that holds no data (a key update, say), and
 * at the end of what has come. In the first case go on in the next turn of the
 * event loop, and not for ever: such records cost the peer nothing.
 */
static enum front_read
read_tls_more(struct front *fr)
{
	char byte;

	if (recv(fr->c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0) {
		fr->c->evt.flags &= ~KORE_EVENT_READ;
		return (fr->hangup ? FRONT_READ_END : FRONT_READ_LATER);
	}
	if (++fr->idle_records > FRONT_IDLE_RECORDS_MAX)
		return (FRONT_READ_FAILED);
	front_wake(fr);
	return (FRONT_READ_LATER);
}

static enum front_read
read_tls(struct front *fr, uint8_t *buf, size_t size, size_t *len)
{
	int n;

	ERR_clear_error();
	n = SSL_read(fr->c->ssl, buf, (int)size);
	if (n > 0) {
		fr->idle_records = 0;
		*len = (size_t)n;
		return (FRONT_READ_DATA);
	}

	switch (SSL_get_error(fr->c->ssl, n)) {
	case SSL_ERROR_WANT_READ:
		return (read_tls_more(fr));
	case SSL_ERROR_WANT_WRITE:
		fr->c->evt.flags &= ~KORE_EVENT_READ;
		return (FRONT_READ_LATER);
	case SSL_ERROR_ZERO_RETURN:
		return (FRONT_READ_END);
	default:
		return (FRONT_READ_FAILED);
	}
}
