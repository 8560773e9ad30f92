#include <stdio.h>
#include <string.h>

#include <kore/kore.h>
#include <kore/http.h>

#include "base/secret.h"
#include "http/front.h"
#include "http/origin.h"

/* Random bytes of an id that is made here. */
#define ID_BYTES 16

static bool given_id(struct http_request *, char[AUDIT_REQUEST_MAX]);
static void make_id(char[AUDIT_REQUEST_MAX]);

void
origin_take(struct http_request *req, struct origin *origin)
{
	memset(origin, 0, sizeof(*origin));
	front_client(req, origin->client);
	(void)client_parse(origin->client, &origin->address);
	if (!given_id(req, origin->request))
		make_id(origin->request);
}

void
origin_audit(const struct origin *origin, struct audit_event *event)
{
	event->client = origin->client;
	event->request = origin->request;
	/* What could not be written is said in the log. */
	(void)audit_write(event);
}

/* The id that a trusted proxy has given to the request; a client's own word
 * counts for nothing. */
static bool
given_id(struct http_request *req, char out[AUDIT_REQUEST_MAX])
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._-";
	const struct h1_field *id;

	if (req->owner == NULL || !client_is_proxy(req->owner))
		return (false);
	id = h1_find(front_request(req), "x-request-id");
	if (id == NULL || id->value_len < 1 ||
	    id->value_len >= AUDIT_REQUEST_MAX ||
	    strspn(id->value, allowed) != id->value_len)
		return (false);
	memcpy(out, id->value, id->value_len + 1);
	return (true);
}

static void
make_id(char out[AUDIT_REQUEST_MAX])
{
	uint8_t bytes[ID_BYTES];
	size_t i;

	secret_random(bytes, sizeof(bytes));
	for (i = 0; i < sizeof(bytes); i++)
		(void)snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}
