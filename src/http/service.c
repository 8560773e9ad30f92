#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <kore/kore.h>

#include "auth/hash_memory.h"
#include "base/audit.h"
#include "base/clock.h"
#include "base/jdoc.h"
#include "base/log.h"
#include "http/agree.h"
#include "http/attempts.h"
#include "http/heard.h"
#include "http/service.h"

#ifdef CORGI_DEV
#define FLAVOR CONFIG_DEV
#else
#define FLAVOR CONFIG_PROD
#endif

/* How often it is logged that a server cannot be reached. */
#define COMPLAIN_MS 10000

/* The one service of this process. */
static struct service service;

static void complain(const char *);
static void load_configuration(void);
static void make_shared(void);
static void find_folder(void);
static void open_audit(void);
static void prepare_store(void);
static bool passing(enum store_result);
static void fill_revocations(struct store *);
static void add_demo(struct store *);
static void refuse_start(const char *) __attribute__((noreturn));

const struct service *
service_get(void)
{
	return (&service);
}

void
service_start(void)
{
	char error[KEY_ERROR_MAX];

	jdoc_init();
	if (secret_init() == -1)
		refuse_start("no source of random numbers");
	if (secret_harden_process() == -1)
		log_line(LOG_LEVEL_WARNING, "core dumps stay possible: %s",
		    strerror(errno));

	load_configuration();
	service.key = key_from_config(&service.config, error);
	if (service.key == NULL)
		refuse_start(error);
	if (!key_can_sign(service.key))
		log_line(LOG_LEVEL_NOTICE,
		    "there is a public key alone: tokens are verified, and "
		    "POST /login answers 501");
	service.policy.key = service.key;
	service.policy.config = &service.config;
	service.policy.clock = clock_system;
	make_shared();
	hash_memory_limit(service.config.hash_memory_kib);
	if (account_service_init(
		&service.accounts, &service.config, clock_system) == -1)
		refuse_start("no memory for one password hash");
	find_folder();
	open_audit();
	prepare_store();
}

void
service_stop(void)
{
	key_free(service.key);
	service.key = NULL;
	config_free(&service.config);
	secret_wipe(service.database, sizeof(service.database));
}

struct store *
service_store(void **local)
{
	struct store *store;
	char error[STORE_ERROR_MAX];

	if (*local != NULL)
		return (*local);
	if (store_open_existing(service.database, &store, error) != STORE_OK) {
		complain(error);
		return (NULL);
	}
	*local = store;
	return (store);
}

/* A server that is out of reach is tried by every thread for every request:
 * that is said now and then. */
static void
complain(const char *error)
{
	static _Atomic int64_t said;
	int64_t now = clock_monotonic_ms(), last = said;

	if (service.on_server && last != 0 && now - last < COMPLAIN_MS)
		return;
	if (atomic_compare_exchange_strong(&said, &last, now))
		log_line(LOG_LEVEL_ERR, "store: %s", error);
}

void
service_store_release(void *local)
{
	store_close(local);
}

void
service_store_settle(void **local, enum store_result result)
{
	switch (result) {
	case STORE_OK:
	case STORE_NOT_FOUND:
	case STORE_EXISTS:
	case STORE_INVALID:
	case STORE_BUSY:
		return;
	default:
		store_close(*local);
		*local = NULL;
	}
}

static void
load_configuration(void)
{
	char error[CONFIG_ERROR_MAX];
	bool created;

	if (config_load(environ, FLAVOR, &service.config, error) == -1)
		refuse_start(error);
	if (mkdir(service.config.data_dir, 0700) == -1 && errno != EEXIST) {
		(void)snprintf(error, sizeof(error),
		    "the data folder %s (CORGI_DATA_DIR) cannot be made: %s",
		    service.config.data_dir, strerror(errno));
		refuse_start(error);
	}
	if (config_secret(&service.config, true, &created, error) == -1)
		refuse_start(error);
	if (created)
		log_line(LOG_LEVEL_NOTICE,
		    "no JWT_SECRET_KEY given: made one, kept in %s/jwt_secret",
		    service.config.data_dir);
}

/* What all workers see at once has to be there before they are. */
static void
make_shared(void)
{
	uint8_t common[THROTTLE_COMMON_KEY_LEN];

	service.revocations = revocations_new(service.config.revocations);
	service.throttle = throttle_new(&service.config);
	if (service.revocations == NULL || service.throttle == NULL ||
	    heard_init() == -1 || agree_init(service.key) == -1)
		refuse_start("no memory to share among the workers "
			     "(CORGI_REVOCATIONS, CORGI_THROTTLE_ENTRIES)");
	key_derive(service.key, "corgi.throttle.v1", common, sizeof(common));
	throttle_share(service.throttle, common);
	secret_wipe(common, sizeof(common));
	service.policy.revocations = service.revocations;
	service.sessions.policy = service.policy;
	service.sessions.revocations = service.revocations;
}

static void
find_folder(void)
{
	char line[CONFIG_ERROR_MAX];

	if (realpath(service.config.data_dir, service.folder) == NULL) {
		(void)snprintf(line, sizeof(line),
		    "the data folder %s (CORGI_DATA_DIR) cannot be reached: %s",
		    service.config.data_dir, strerror(errno));
		refuse_start(line);
	}
	if (config_database(
		&service.config, service.folder, service.database) == -1)
		refuse_start("the path of the data folder is too long");
}

/* A name that is no path is one in the data folder. */
static void
open_audit(void)
{
	const char *target = service.config.audit_log;
	char path[2 * PATH_MAX], line[3 * PATH_MAX];

	if (target[0] != '/' && strcmp(target, "-") != 0 &&
	    strcmp(target, "off") != 0) {
		(void)snprintf(
		    path, sizeof(path), "%s/%s", service.folder, target);
		target = path;
	}
	if (audit_open(target) == 0)
		return;
	(void)snprintf(line, sizeof(line),
	    "the audit log %s (CORGI_AUDIT_LOG) cannot be opened: %s", target,
	    strerror(errno));
	refuse_start(line);
}

/*
 * Open the store once before the fork: a service that cannot reach it does
 * not start, and the workers find it migrated. A server may only be on its way
 * up: then the workers go on trying, and until they have it the service is not
 * ready and lets nobody through its guards.
 */
static void
prepare_store(void)
{
	char error[STORE_ERROR_MAX], line[1024];
	enum store_result result;
	struct store *store;

	service.on_server = store_where_server(service.database);
	result = store_open(service.database, &store, error);
	if (result != STORE_OK) {
		(void)snprintf(line, sizeof(line), "store: %s", error);
		if (!service.on_server || !passing(result))
			refuse_start(line);
		log_line(LOG_LEVEL_ERR, "%s; trying again", line);
		return;
	}
	if (FLAVOR == CONFIG_DEV)
		add_demo(store);
	fill_revocations(store);
	if (service.on_server && attempts_follow(store) != STORE_OK)
		log_line(LOG_LEVEL_ERR,
		    "failed logins of other nodes are not counted: %s",
		    store_error(store));
	agree_start(store);
	store_close(store);
	service.prepared = true;
}

/* Whether trying again may help. */
static bool
passing(enum store_result result)
{
	return (result == STORE_FAILED || result == STORE_BUSY);
}

bool
service_prepare(void)
{
	static bool done;
	char error[STORE_ERROR_MAX];
	struct store *store;
	int added = 0;

	if (done || service.prepared)
		return (true);
	if (store_open(service.database, &store, error) != STORE_OK) {
		complain(error);
		return (false);
	}
	done = FLAVOR != CONFIG_DEV ||
	    account_add_demo(&service.accounts, store, &added) == STORE_OK;
	store_close(store);
	if (done)
		log_line(LOG_LEVEL_NOTICE, "store: the database is there%s",
		    added ? "; added the demo account cosmo" : "");
	return (done);
}

static void
add_demo(struct store *store)
{
	char line[1024];
	int added = 0;

	if (account_add_demo(&service.accounts, store, &added) != STORE_OK) {
		(void)snprintf(
		    line, sizeof(line), "store: %s", store_error(store));
		refuse_start(line);
	}
	if (added)
		log_line(LOG_LEVEL_NOTICE,
		    "added the demo account cosmo (development build)");
}

/* A token that has been taken back stays so over a restart: without all
 * revocations in memory nothing is served. */
static void
fill_revocations(struct store *store)
{
	enum store_result result;
	char line[1024];

	result = heard_follow(store);
	if (result == STORE_OK)
		return;
	if (result == STORE_FULL)
		(void)snprintf(line, sizeof(line),
		    "there are more live revocations than "
		    "CORGI_REVOCATIONS=%u has room for",
		    service.config.revocations);
	else
		(void)snprintf(
		    line, sizeof(line), "store: %s", store_error(store));
	refuse_start(line);
}

static void
refuse_start(const char *reason)
{
	fatalx("corgi: %s", reason);
}
