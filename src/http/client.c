#include <arpa/inet.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <kore/kore.h>

#include "http/client.h"

/* Addresses are kept in IPv6 form; an IPv4 address is mapped into it. */
#define MAPPED_BITS 96

/* Longest text of one hop: "[address]:port" in quotes. */
#define HOP_MAX (INET6_ADDRSTRLEN + 16)

struct network {
	struct in6_addr address;
	unsigned int bits; /* of the prefix */
};

/* The trusted proxies, parsed at start; read-only afterwards. */
static struct network proxies[CONFIG_LIST_MAX];
static size_t nproxies;

static int parse_network(const char *, struct network *);
static bool parse_hop(const char *, size_t, struct in6_addr *);
static bool is_proxy(const struct in6_addr *);
static bool reported_address(
    const struct h1_request *, const char *, bool, struct in6_addr *);
static void peer_address(const struct connection *, struct in6_addr *);
static bool next_from_end(const char *, size_t *, const char **, size_t *);
static bool forwarded_for(const char *, size_t, const char **, size_t *);

int
client_start(const struct config *config, char error[CLIENT_ERROR_MAX])
{
	const struct config_list *list = &config->trusted_proxies;

	for (nproxies = 0; nproxies < list->count; nproxies++) {
		if (parse_network(list->items[nproxies], &proxies[nproxies]) ==
		    0)
			continue;
		(void)snprintf(error, CLIENT_ERROR_MAX,
		    "CORGI_TRUSTED_PROXIES: \"%.64s\" is no address and no "
		    "network; allowed: 192.0.2.1, 10.0.0.0/8, 2001:db8::/32",
		    list->items[nproxies]);
		return (-1);
	}
	return (0);
}

void
client_address(const struct connection *c, const struct h1_request *request,
    struct in6_addr *out)
{
	struct in6_addr rfc7239, usual;
	bool has_rfc7239, has_usual;

	peer_address(c, out);
	if (request == NULL || nproxies == 0 || !is_proxy(out))
		return;

	rfc7239 = usual = *out;
	has_rfc7239 = reported_address(request, "forwarded", true, &rfc7239);
	has_usual = reported_address(request, "x-forwarded-for", false, &usual);
	if (has_rfc7239 && !has_usual)
		*out = rfc7239;
	else if (has_usual &&
	    (!has_rfc7239 || memcmp(&rfc7239, &usual, sizeof(usual)) == 0))
		*out = usual;
}

bool
client_is_proxy(const struct connection *c)
{
	struct in6_addr peer;

	peer_address(c, &peer);
	return (is_proxy(&peer));
}

void
client_text(const struct in6_addr *address, char out[CLIENT_TEXT_MAX])
{
	const void *at = address;
	int family = AF_INET6;

	if (IN6_IS_ADDR_V4MAPPED(address)) {
		family = AF_INET;
		at = &address->s6_addr[12];
	}
	if (inet_ntop(family, at, out, CLIENT_TEXT_MAX) == NULL)
		out[0] = '\0';
}

/*
 * Follow one header's hops from the last one, beginning at the proxy in *out.
 * Returns false when there is no such header.
 */
static bool
reported_address(const struct h1_request *request, const char *name,
    bool rfc7239, struct in6_addr *out)
{
	struct in6_addr address;
	const char *value, *hop;
	size_t left, hop_len;
	char *joined;

	value = h1_join(request, name, &left, &joined);
	if (value == NULL)
		return (false);
	while (is_proxy(out) && next_from_end(value, &left, &hop, &hop_len)) {
		if (rfc7239 && !forwarded_for(hop, hop_len, &hop, &hop_len))
			break;
		if (!parse_hop(hop, hop_len, &address))
			break;
		*out = address;
	}
	free(joined);
	return (true);
}

/* "address" or "address/bits". */
static int
parse_network(const char *text, struct network *out)
{
	char address[INET6_ADDRSTRLEN], *end;
	const char *slash;
	unsigned long bits, most;
	size_t len;

	slash = strchr(text, '/');
	len = slash != NULL ? (size_t)(slash - text) : strlen(text);
	if (len >= sizeof(address))
		return (-1);
	memcpy(address, text, len);
	address[len] = '\0';
	if (!client_parse(address, &out->address))
		return (-1);

	most = strchr(address, ':') != NULL ? 128 : 32;
	bits = most;
	if (slash != NULL) {
		if (slash[1] < '0' || slash[1] > '9')
			return (-1);
		bits = strtoul(slash + 1, &end, 10);
		if (*end != '\0' || bits > most)
			return (-1);
	}
	out->bits = (unsigned int)(most == 32 ? bits + MAPPED_BITS : bits);
	return (0);
}

bool
client_parse(const char *text, struct in6_addr *out)
{
	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, text, &out->s6_addr[12]) == 1) {
		out->s6_addr[10] = 0xff;
		out->s6_addr[11] = 0xff;
		return (true);
	}
	return (inet_pton(AF_INET6, text, out) == 1);
}

/* One hop: an address, perhaps in quotes, in brackets, or with a port. */
static bool
parse_hop(const char *hop, size_t len, struct in6_addr *out)
{
	char text[HOP_MAX], *start, *end;

	if (len >= 2 && hop[0] == '"' && hop[len - 1] == '"') {
		hop++;
		len -= 2;
	}
	if (len == 0 || len >= sizeof(text))
		return (false);
	memcpy(text, hop, len);
	text[len] = '\0';

	start = text;
	if (*start == '[') {
		start++;
		end = strchr(start, ']');
		if (end == NULL)
			return (false);
		*end = '\0';
	} else if ((end = strchr(start, ':')) != NULL &&
	    strchr(end + 1, ':') == NULL) {
		*end = '\0';
	}
	return (client_parse(start, out));
}

static bool
is_proxy(const struct in6_addr *address)
{
	unsigned int bits, full;
	uint8_t mask;
	size_t i;

	for (i = 0; i < nproxies; i++) {
		bits = proxies[i].bits;
		full = bits / 8;
		if (memcmp(address->s6_addr, proxies[i].address.s6_addr,
			full) != 0)
			continue;
		mask = (uint8_t)(0xff00 >> (bits % 8));
		if (full == 16 ||
		    (address->s6_addr[full] & mask) ==
			(proxies[i].address.s6_addr[full] & mask))
			return (true);
	}
	return (false);
}

static void
peer_address(const struct connection *c, struct in6_addr *out)
{
	memset(out, 0, sizeof(*out));
	if (c->family == AF_INET6) {
		*out = c->addr.ipv6.sin6_addr;
	} else if (c->family == AF_INET) {
		out->s6_addr[10] = 0xff;
		out->s6_addr[11] = 0xff;
		memcpy(&out->s6_addr[12], &c->addr.ipv4.sin_addr, 4);
	}
}

/* Cut the last element off a comma list; *left is what remains before it. */
static bool
next_from_end(const char *value, size_t *left, const char **hop, size_t *len)
{
	size_t start, end;

	if (*left == 0)
		return (false);
	end = *left;
	start = end;
	while (start > 0 && value[start - 1] != ',')
		start--;
	*left = start > 0 ? start - 1 : 0;
	while (start < end && (value[start] == ' ' || value[start] == '\t'))
		start++;
	while (end > start && (value[end - 1] == ' ' || value[end - 1] == '\t'))
		end--;
	*hop = value + start;
	*len = end - start;
	return (true);
}

/* The value of "for" in one element of Forwarded (RFC 7239, section 5.2). */
static bool
forwarded_for(
    const char *element, size_t len, const char **value, size_t *value_len)
{
	const char *p = element, *end = element + len, *stop;

	while (p < end) {
		while (p < end && (*p == ' ' || *p == '\t' || *p == ';'))
			p++;
		stop = memchr(p, ';', (size_t)(end - p));
		if (stop == NULL)
			stop = end;
		if (stop - p > 4 && strncasecmp(p, "for=", 4) == 0) {
			*value = p + 4;
			*value_len = (size_t)(stop - p) - 4;
			return (true);
		}
		p = stop;
	}
	return (false);
}
