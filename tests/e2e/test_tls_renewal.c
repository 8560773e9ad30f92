/*
 * The certificate of the TLS listener: renewed without a restart and without a
 * lost request; what does not fit is refused, at the start and later, and no
 * word of a key is ever told.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <openssl/ssl.h>

#include "tls_kit.h"
#include "tok.h"

TestSuite(tls_renewal, .timeout = 60);

#define GET "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"

/* Within what time a renewed certificate has to be in use (milliseconds). */
#define RENEWAL_MS 2000

/* How many handshakes in a row must show it: more than there are workers. */
#define HANDSHAKES 12

/* Requests in a loop, while the certificate is replaced. */
struct traffic {
	int port; /* of a tunnel */
	bool keep;
	atomic_bool *stop;
	unsigned int good;
	unsigned int failed;
	pthread_t thread;
};

static void *traffic_run(void *);
static bool all_show(const struct tls_server *, const char *);
static void expect_name(const struct tls_server *, const char *);
static void expect_kept(struct raw *);

static void *
traffic_run(void *arg)
{
	struct traffic *t = arg;
	struct raw_response answer;
	struct raw *r = NULL;
	bool last;

	while (!*t->stop) {
		if (r == NULL)
			r = raw_try_connect(t->port);
		memset(&answer, 0, sizeof(answer));
		if (r != NULL && raw_send_text(r, GET) &&
		    raw_read(r, false, &answer) == RAW_OK &&
		    answer.status == 200)
			t->good++;
		else
			t->failed++;
		last = !t->keep || answer.status == 0 ||
		    raw_header(&answer, "connection") != NULL;
		raw_response_free(&answer);
		if (last) {
			raw_close(r);
			r = NULL;
		}
		sleep_ms(1);
	}
	raw_close(r);
	return (NULL);
}

/* Whether every new connection gets the certificate of that name. */
static bool
all_show(const struct tls_server *t, const char *name)
{
	struct tls_result result;
	int i;

	for (i = 0; i < HANDSHAKES; i++) {
		result = tls_handshake(t->port,
		    i % 2 == 0 ? TLS1_3_VERSION : TLS1_2_VERSION, NULL);
		if (!result.ok || strcmp(result.name, name) != 0)
			return (false);
	}
	return (true);
}

static void
expect_name(const struct tls_server *t, const char *name)
{
	long long end = now_ms() + RENEWAL_MS;

	while (!all_show(t, name) && now_ms() < end)
		sleep_ms(20);
	cr_expect(all_show(t, name), "the certificate is not %s", name);
}

static void
expect_kept(struct raw *r)
{
	struct raw_response answer;

	cr_expect(raw_send_text(r, GET));
	cr_expect(raw_read(r, false, &answer) == RAW_OK);
	cr_expect_eq(answer.status, 200);
	raw_response_free(&answer);
}

Test(tls_renewal, renewed_certificate_is_taken_without_a_lost_request)
{
	struct tls_server t = tls_server_start(NULL, NULL);
	int port = tls_tunnel(t.port, TLS1_3_VERSION, 0);
	struct raw *kept = raw_connect(port);
	atomic_bool stop = false;
	struct traffic traffic[2];
	struct cert fresh;
	char *line, *log;
	int i, round;

	expect_kept(kept);
	expect_name(&t, "first");
	for (i = 0; i < 2; i++) {
		traffic[i] = (struct traffic){
		    .port = port, .keep = i == 1, .stop = &stop};
		cr_assert(pthread_create(&traffic[i].thread, NULL, traffic_run,
			      &traffic[i]) == 0);
	}
	for (round = 0; round < 3; round++) {
		fresh = cert_new(round % 2 == 0 ? "second" : "third");
		cert_install(&t.files, &fresh);
		expect_name(&t, round % 2 == 0 ? "second" : "third");
		expect_kept(kept);
		line = cert_key_line(fresh.key);
		log = server_log(t.s);
		cr_expect(strstr(log, line) == NULL, "the log holds the key");
		free(log);
		free(line);
		cert_free(&fresh);
	}
	stop = true;
	for (i = 0; i < 2; i++) {
		(void)pthread_join(traffic[i].thread, NULL);
		cr_expect_eq(traffic[i].failed, 0, "%u of %u requests failed",
		    traffic[i].failed, traffic[i].good + traffic[i].failed);
		cr_expect_gt(traffic[i].good, 0);
	}
	raw_close(kept);
	tls_server_stop(&t);
}

/* Half a renewal, or a broken one: said in the log, and the old one stays. */
Test(tls_renewal, pair_that_does_not_fit_is_not_taken)
{
	static const char refused[] = "the renewed certificate is not taken";
	struct tls_server t = tls_server_start(NULL, NULL);
	struct raw *kept = raw_connect(tls_tunnel(t.port, TLS1_2_VERSION, 0));
	struct cert fresh = cert_new("second");
	char *line, *log;

	expect_kept(kept);
	cert_replace(t.files.certificate, fresh.certificate);
	cr_expect(server_log_wait(t.s, refused, 4000), "nothing is said");
	expect_name(&t, "first");
	cert_replace(t.files.key, "no key at all");
	sleep_ms(1100);
	expect_name(&t, "first");
	cert_replace(t.files.key, fresh.locked);
	sleep_ms(1100);
	expect_name(&t, "first");
	cr_expect(remove(t.files.key) == 0);
	sleep_ms(1100);
	expect_name(&t, "first");
	expect_kept(kept);
	cert_replace(t.files.key, fresh.key);
	expect_name(&t, "second");
	cert_replace(t.files.certificate, "no certificate at all");
	sleep_ms(1100);
	expect_name(&t, "second");
	expect_kept(kept);
	log = server_log(t.s);
	line = cert_key_line(fresh.key);
	cr_expect(strstr(log, line) == NULL, "the log holds the key");
	cr_expect(strstr(log, "no key at all") == NULL, "the log quotes it");
	free(line);
	free(log);
	cert_free(&fresh);
	raw_close(kept);
	tls_server_stop(&t);
}

/* One start that must fail: with these two settings (NULL: not set). */
static void
refused_start(const char *row, const char *certificate, const char *key,
    const char *secret, const char *needle)
{
	const char *environment[3];
	struct server_options options;
	char *settings[2] = {NULL, NULL};
	size_t n = 0;

	if (certificate != NULL)
		environment[n++] = settings[0] =
		    text_of("CORGI_TLS_CERTIFICATE=%s", certificate);
	if (key != NULL)
		environment[n++] = settings[1] =
		    text_of("CORGI_TLS_KEY=%s", key);
	environment[n] = NULL;
	memset(&options, 0, sizeof(options));
	options.environment = environment;
	options.listener = "server main {\n"
			   "\tbind 127.0.0.1 @PORT@ front_connect_tls\n"
			   "\ttls no\n}\n";
	server_expect_refusal_quiet(
	    row, &options, secret, needle, "CORGI_TLS_", NULL);
	free(settings[0]);
	free(settings[1]);
}

/* A sound pair starts: every other case of this file is the control. */
Test(tls_renewal, start_without_a_sound_pair_is_refused)
{
	char *folder = scratch_new(), *line, *other, *missing;
	struct cert_files files = cert_paths(folder);
	struct cert pair = cert_new("first"), foreign = cert_new("other");

	cert_install(&files, &pair);
	line = cert_key_line(pair.key);
	other = text_of("%s/other.pem", folder);
	missing = text_of("%s/missing.pem", folder);
	refused_start("neither", NULL, NULL, NULL, "front_connect_tls");
	refused_start("no key", files.certificate, NULL, NULL, "CORGI_TLS_KEY");
	refused_start(
	    "no certificate", NULL, files.key, line, "CORGI_TLS_CERTIFICATE");
	refused_start("key is missing", files.certificate, missing, NULL,
	    "CORGI_TLS_KEY");
	refused_start("certificate is missing", missing, files.key, line,
	    "CORGI_TLS_CERTIFICATE");
	refused_start("the files are swapped", files.key, files.certificate,
	    line, "CORGI_TLS_CERTIFICATE");
	file_write(other, foreign.key, strlen(foreign.key));
	refused_start(
	    "key of another", files.certificate, other, NULL, "CORGI_TLS_KEY");
	free(line);
	line = cert_key_line(pair.locked);
	file_write(other, pair.locked, strlen(pair.locked));
	refused_start("key with a passphrase", files.certificate, other, line,
	    "CORGI_TLS_KEY");
	file_write(other, "", 0);
	refused_start(
	    "empty key", files.certificate, other, NULL, "CORGI_TLS_KEY");
	free(missing);
	free(other);
	free(line);
	cert_free(&pair);
	cert_free(&foreign);
	scratch_free(folder);
}
