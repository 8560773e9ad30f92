# Corgi: `make run` and `make test` do all the set-up by themselves; `make
# help` lists the rest.

BUILD ?= build
FLAVOR ?= dev
CC ?= cc
SANITIZE ?= 0
COVERAGE ?= 0
FUZZ ?= 0
FUZZ_SECONDS ?= 60
NODES_SECONDS ?= 60
QUICK ?= 0
IMAGE ?= corgi
JOBS ?= $(shell nproc)

# Everything that is built lies under OUT: build/ for the dev flavour,
# build/prod/ and the like for any other.
OUT = $(BUILD)
ifneq ($(FLAVOR),dev)
OUT = $(BUILD)/$(FLAVOR)
endif

# conf/build.conf holds the same warnings for kodev.
WARN = -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes \
       -Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wformat=2 \
       -Wvla -Wundef -Wold-style-definition
OPT = -O2 -g
INSTRUMENT =
ifeq ($(SANITIZE),1)
OPT = -O1 -g
INSTRUMENT = -fsanitize=address,undefined -fno-sanitize-recover=all \
	     -fno-omit-frame-pointer
endif
ifeq ($(COVERAGE),1)
OPT = -O0 -g
INSTRUMENT = --coverage -fprofile-update=atomic
endif
ifeq ($(FUZZ),1)
OPT = -O1 -g
INSTRUMENT = -fsanitize=fuzzer-no-link,address,undefined \
	     -fno-sanitize-recover=all -fno-omit-frame-pointer
endif
ifeq ($(FLAVOR),dev)
DEFS = -DCORGI_DEV
else
DEFS = -D_FORTIFY_SOURCE=2
endif
CFLAGS_ALL = -std=gnu11 $(OPT) $(INSTRUMENT) $(WARN) -fPIC \
	     -fvisibility=hidden -fstack-protector-strong -D_GNU_SOURCE \
	     $(DEFS) -Isrc $(CFLAGS)
LIBS = -ljwt -ljansson -lsodium -lsqlite3 -lpq -lcrypto -lcrypt -largon2 \
       -lpthread

LIB_SRC = $(wildcard src/base/*.c src/store/*.c src/auth/*.c)
LIB_OBJ = $(LIB_SRC:src/%.c=$(OUT)/obj/%.o)
LIB = $(OUT)/libcorgi.a

APP = $(OUT)/corgi
MODULE = $(APP)/corgi.so
MODULE_SRC = $(sort $(shell find src assets -type f \
	       ! -name '.*' ! -name '*~' ! -name '*\#*' 2>/dev/null))

CTL = $(OUT)/corgictl
CTL_OBJ = $(patsubst tools/%.c,$(OUT)/obj/tools/%.o,$(wildcard tools/*.c))

UNIT_SRC = $(wildcard tests/unit/test_*.c)
UNIT_BIN = $(UNIT_SRC:tests/unit/%.c=$(OUT)/unit/%)
# The harness that e2e and CLI tests share: every file that is no test.
KIT_SRC = $(filter-out tests/e2e/test_%.c,$(wildcard tests/e2e/*.c))
KIT_OBJ = $(KIT_SRC:tests/e2e/%.c=$(OUT)/obj/kit/%.o)
E2E_SRC = $(wildcard tests/e2e/test_*.c)
E2E_BIN = $(E2E_SRC:tests/e2e/%.c=$(OUT)/e2e/%)
CLI_SRC = $(wildcard tests/cli/test_*.c)
CLI_BIN = $(CLI_SRC:tests/cli/%.c=$(OUT)/cli/%)
# Two nodes, a database and nginx; the files that are no test are their kit.
CLUSTER_SRC = $(wildcard tests/cluster/test_*.c)
CLUSTER_BIN = $(CLUSTER_SRC:tests/%.c=$(OUT)/%)
CLUSTER_KIT = $(patsubst tests/%.c,$(OUT)/obj/%.o,$(filter-out \
	      $(CLUSTER_SRC),$(wildcard tests/cluster/*.c)))
FUZZ_SRC = $(wildcard tests/fuzz/fuzz_*.c)
REPLAY_BIN = $(FUZZ_SRC:tests/fuzz/fuzz_%.c=$(OUT)/replay/%)
FUZZ_BIN = $(FUZZ_SRC:tests/fuzz/fuzz_%.c=$(OUT)/fuzz/%)
BENCH_SRC = $(wildcard bench/*.c)
BENCH_SO = bare front_kore
BENCH_BIN = $(patsubst bench/%.c,$(OUT)/bench/%,$(filter-out \
	    $(BENCH_SO:%=bench/%.c),$(BENCH_SRC))) \
	    $(BENCH_SO:%=$(OUT)/bench/%.so) $(OUT)/bench/drive
# The one soak whose short form is among the tests.
SOAK_BIN = $(OUT)/soak/nodes
# Needs the packages of the group peers.
PEERS = $(OUT)/bench/peer_mhd $(OUT)/bench/peer_go \
	$(OUT)/bench/node/node_modules/.package-lock.json
TEST_BIN = $(UNIT_BIN) $(CLI_BIN) $(E2E_BIN) $(CLUSTER_BIN) $(SOAK_BIN) \
	   $(REPLAY_BIN)
KIT_LIBS = -lcriterion -lcurl -lssl $(LIBS)

# Short lines unless V=1.
V ?= 0
ifeq ($(V),0)
say = @echo "  $(1)	$@";
endif

# Two targets may want the same build at once: they take turns.
SUBMAKE = mkdir -p $(BUILD) && flock $(BUILD)/.lock $(MAKE) \
	  $(if $(filter -j%,$(MAKEFLAGS)),,-j$(JOBS)) --no-print-directory

.PHONY: help run dev prod build test test-build check asan coverage fuzz \
	fuzz-build test-browser test-cluster test-systemd bench bench-peers \
	bench-scale bench-login bench-start bench-front bench-abuse \
	bench-users bench-import bench-copy bench-revocation \
	bench-instructions bench-nodes bench-ready bench-build soak \
	soak-sessions soak-nodes example-flask image clean \
	lib unit module prod-module ctl cli e2e FORCE
.SECONDARY:
.DEFAULT_GOAL = help

help: ## this list
	@sed -n 's/^\([a-z][a-z-]*\):[^#]*## \(.*\)/  make \1|\2/p' Makefile | \
	    awk -F'|' '{ printf "%-25s %s\n", $$1, $$2 }'
	@echo
	@echo "  make run: PORT=8888 WORKERS=cores DATA_DIR=data BIND=127.0.0.1"
	@echo "  FLAVOR=prod builds without the demo account; JWT_* and CORGI_*"
	@echo "  in the environment configure the service."

# What a stranger needs.

run: ## install what is missing, build, run in the foreground
	@scripts/install run
	@+$(SUBMAKE) build
	@exec scripts/run $(OUT) $(FLAVOR)

dev: ## the same through `kodev run`; listens where conf/corgi.conf says
	@scripts/dev
	@scripts/install run
	@+$(SUBMAKE) FLAVOR=dev build
	@exec scripts/dev $(BUILD)

prod: ## build the prod flavour in build/prod/
	@scripts/install run
	@+$(SUBMAKE) FLAVOR=prod build

test: ## install what is missing, build, run all tests
	@scripts/install test
	@+$(SUBMAKE) test-build
	@scripts/test $(OUT) $(TEST_BIN)

check: ## formatting, static analysis, shell scripts, layer rules
	@scripts/install check
	@scripts/check

test-cluster: ## two nodes, PostgreSQL, nginx: restarts, kills; CLUSTER_SECONDS=30
	@scripts/install test
	@+$(SUBMAKE) test-build
	@KINDS=cluster CLUSTER_SECONDS=$${CLUSTER_SECONDS:-30} \
	    scripts/test $(OUT) $(CLUSTER_BIN)

test-systemd: ## deploy/corgi.service under a systemd of its own; needs root
	@scripts/install test
	@+$(SUBMAKE) build prod-module
	@tests/deploy/systemd $(OUT)

asan: ## all tests under ASan and UBSan
	@scripts/install test
	@+$(SUBMAKE) BUILD=$(BUILD)/asan SANITIZE=1 test-build
	@scripts/asan $(BUILD)/asan \
	    $(TEST_BIN:$(OUT)/%=$(BUILD)/asan/%)

coverage: ## line coverage of src/ over all tests
	@scripts/install test
	@+$(SUBMAKE) BUILD=$(BUILD)/coverage COVERAGE=1 test-build
	@scripts/coverage $(BUILD)/coverage \
	    $(TEST_BIN:$(OUT)/%=$(BUILD)/coverage/%)

fuzz: ## libFuzzer, FUZZ_SECONDS=60 for each target
	@scripts/install fuzz
	@+$(SUBMAKE) BUILD=$(BUILD)/libfuzzer FUZZ=1 CC=clang fuzz-build
	@scripts/fuzz $(FUZZ_SECONDS) \
	    $(FUZZ_BIN:$(OUT)/%=$(BUILD)/libfuzzer/%)

test-browser: ## drive the page in headless Chromium
	@scripts/install browser
	@+$(SUBMAKE) FLAVOR=dev build
	@scripts/with-service $(BUILD) CORGI_REFRESH_GRACE=4 tests/browser/run

bench: ## Corgi beside its peers, side by side; QUICK=1: in two minutes
	@scripts/install peers
	@+$(SUBMAKE) FLAVOR=prod bench-build bench-peers
	@bench/compare $(BUILD)/prod $(if $(filter 1,$(QUICK)),--quick)

bench-scale: bench-ready ## cost by number and size of things; QUICK=1: less
	@bench/scale $(BUILD)/prod $(if $(filter 1,$(QUICK)),--quick)

bench-login: bench-ready ## logins beside guarded requests, and the bare hash
	@scripts/with-service $(BUILD)/prod CORGI_SESSIONS_PER_USER=0 \
	    bench/login $(BUILD)/prod

bench-start: bench-ready ## memory, and time to the first answer
	@bench/start $(BUILD)/prod

bench-front: bench-ready ## the connection front beside Kore's own reader
	@bench/front $(BUILD)/prod

bench-abuse: bench-ready ## guarded requests beside idle, slow, flooding peers
	@bench/abuse $(BUILD)/prod

bench-users: bench-ready ## finding an account among 10 and among 1,000,000
	@bench/users $(BUILD)/prod

bench-revocation: bench-ready ## a known token beside 1,000,000 revocations
	@bench/revocation $(BUILD)/prod

bench-import: bench-ready ## taking over 100,000 accounts with their hashes
	@bench/import $(BUILD)/prod

bench-copy: bench-ready ## a database of 500,000 rows to a server and back
	@bench/copy $(BUILD)/prod

bench-instructions: bench-ready ## instructions of one verification, warm and cold
	@bench/instructions $(BUILD)/prod

bench-nodes: bench-ready ## one node and two, both databases; QUICK=1: less
	@bench/nodes $(BUILD)/prod $(if $(filter 1,$(QUICK)),--quick)

bench-ready:
	@scripts/install bench
	@+$(SUBMAKE) FLAVOR=prod bench-build

soak-sessions: ## logouts and refreshes while workers die; SOAK_SECONDS=30
	@scripts/install test
	@+$(SUBMAKE) FLAVOR=dev build $(OUT)/soak/sessions
	@CORGI_ROOT=$$PWD CORGI_MODULE=$$PWD/$(OUT)/corgi/corgi.so \
	    CORGI_CTL=$$PWD/$(OUT)/corgictl timeout -k 10 600 \
	    $(OUT)/soak/sessions -j1

soak-nodes: ## logouts on one node, use on another; NODES_SECONDS=60
	@scripts/install test
	@+$(SUBMAKE) FLAVOR=dev build $(OUT)/soak/nodes
	@CORGI_ROOT=$$PWD CORGI_MODULE=$$PWD/$(OUT)/corgi/corgi.so \
	    CORGI_CTL=$$PWD/$(OUT)/corgictl NODES_SECONDS=$(NODES_SECONDS) \
	    timeout -k 10 $$(($(NODES_SECONDS) + 240)) \
	    $(OUT)/soak/nodes -j1

example-flask: ## a Flask application and Corgi on one key (examples/flask)
	@scripts/install example
	@+$(SUBMAKE) FLAVOR=dev build
	@scripts/with-service $(BUILD) examples/flask/run $(BUILD)

soak: ## good traffic, floods, garbage and kills together; SOAK_SECONDS=60
	@scripts/install test
	@+$(SUBMAKE) FLAVOR=dev build $(OUT)/soak/soak
	@CORGI_ROOT=$$PWD CORGI_MODULE=$$PWD/$(OUT)/corgi/corgi.so \
	    CORGI_CTL=$$PWD/$(OUT)/corgictl tests/soak/run $(OUT)

image: ## build the container image with docker
	docker build -t $(IMAGE) .

clean: ## remove all that was built (not the data folder)
	rm -rf $(BUILD) .objs .flavor corgi.so corgi.pid kore.pid

# What the above are made of.

build: module ctl
lib: $(LIB)
module: $(MODULE)
ctl: $(CTL)
# Some tests are about what the production build does not have.
prod-module:
	@+$(MAKE) --no-print-directory FLAVOR=prod module
test-build: build prod-module $(TEST_BIN)
fuzz-build: $(FUZZ_BIN)
bench-build: build $(BENCH_BIN)
bench-peers: $(PEERS)

unit: $(UNIT_BIN)
	@for t in $(UNIT_BIN); do echo "== $$t"; $$t || exit 1; done
cli: $(CTL) $(CLI_BIN)
	@scripts/test $(OUT) $(CLI_BIN)
e2e: $(MODULE) $(CTL) prod-module $(E2E_BIN)
	@scripts/test $(OUT) $(E2E_BIN)

$(OUT)/obj/%.o: src/%.c $(OUT)/flags
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

$(OUT)/obj/tools/%.o: tools/%.c $(OUT)/flags
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

$(OUT)/obj/kit/%.o: tests/e2e/%.c $(OUT)/flags
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(CFLAGS_ALL) -Itests/e2e -MMD -MP -c -o $@ $<

$(OUT)/obj/cluster/%.o: tests/cluster/%.c $(OUT)/flags
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(CFLAGS_ALL) -Itests/e2e -MMD -MP -c -o $@ $<

$(LIB): $(LIB_OBJ) $(OUT)/lib-members
	@rm -f $@
	$(call say,AR)$(AR) rcs $@ $(LIB_OBJ)

$(CTL): $(CTL_OBJ) $(LIB) $(OUT)/lib-members
	$(call say,CC)$(CC) $(CFLAGS_ALL) -o $@ $(CTL_OBJ) $(LIB) \
	    -Wl,-z,relro,-z,now $(LIBS)

# kodev sees neither edited headers nor changed flags: the script wipes what
# they make stale. $? names what changed.
$(MODULE): $(MODULE_SRC) conf/build.conf $(APP)/inputs
	@CC='$(CC)' CFLAGS='$(strip $(INSTRUMENT) $(CFLAGS))' \
	    LDFLAGS='$(strip $(INSTRUMENT) $(LDFLAGS))' \
	    scripts/build-module $(APP) $(FLAVOR) $?

$(OUT)/unit/%: tests/unit/%.c $(LIB) $(OUT)/flags
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(CFLAGS_ALL) -MMD -MP -o $@ $< $(LIB) -lcriterion $(LIBS)

$(OUT)/cli/%: tests/cli/%.c $(KIT_OBJ) $(LIB) $(OUT)/flags
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(CFLAGS_ALL) -Itests/e2e -MMD -MP -o $@ $< $(KIT_OBJ) $(LIB) \
	    $(KIT_LIBS)

$(OUT)/e2e/%: tests/e2e/%.c $(KIT_OBJ) $(LIB) $(OUT)/flags
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(CFLAGS_ALL) -Itests/e2e -MMD -MP -o $@ $< $(KIT_OBJ) $(LIB) $(KIT_LIBS)

$(OUT)/cluster/%: tests/cluster/%.c $(CLUSTER_KIT) $(KIT_OBJ) $(LIB) $(OUT)/flags
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(CFLAGS_ALL) -Itests/e2e -MMD -MP -o $@ $< $(CLUSTER_KIT) \
	    $(KIT_OBJ) $(LIB) $(KIT_LIBS)

$(OUT)/replay/%: tests/fuzz/fuzz_%.c tests/fuzz/replay.c $(LIB) $(OUT)/flags
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(CFLAGS_ALL) -o $@ $< tests/fuzz/replay.c $(LIB) $(LIBS)

$(OUT)/fuzz/%: tests/fuzz/fuzz_%.c $(LIB) $(OUT)/flags
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(CFLAGS_ALL) -fsanitize=fuzzer -o $@ $< $(LIB) $(LIBS)

$(OUT)/soak/%: tests/soak/%.c $(KIT_OBJ) $(LIB) $(OUT)/flags
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(CFLAGS_ALL) -Itests/e2e -o $@ $< $(KIT_OBJ) $(LIB) \
	    $(KIT_LIBS)

$(OUT)/bench/%: bench/%.c $(LIB) $(OUT)/flags
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(CFLAGS_ALL) -o $@ $< $(LIB) $(LIBS)

$(OUT)/bench/drive: $(wildcard bench/drive/*.[ch]) bench/client.h $(LIB) \
		    $(OUT)/flags
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(CFLAGS_ALL) -o $@ $(filter %.c,$^) $(LIB) $(LIBS)

$(OUT)/bench/peer_mhd: bench/peers/mhd.c $(OUT)/flags
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(CFLAGS_ALL) -o $@ $< -lmicrohttpd -ljwt

# Debian's packages of Go's libraries, and nothing from the network.
$(OUT)/bench/peer_go: bench/peers/go/main.go
	@mkdir -p $(@D)
	$(call say,GO)GO111MODULE=off GOFLAGS= GOPATH=/usr/share/gocode \
	    GOCACHE=$(abspath $(BUILD))/bench/go go build -o $@ ./$(<D)

# The file that npm writes last.
$(OUT)/bench/node/node_modules/.package-lock.json: \
    bench/peers/node/package.json bench/peers/node/package-lock.json
	@mkdir -p $(OUT)/bench/node
	@cp $^ bench/peers/node/.npmrc $(OUT)/bench/node/
	$(call say,NPM)cd $(OUT)/bench/node && npm ci --ignore-scripts --silent
	@touch $@

# Small Kore applications to compare with.
$(OUT)/bench/%.so: bench/%.c $(OUT)/flags
	@mkdir -p $(@D)
	$(call say,CC)$(CC) -std=gnu11 -O2 -g -Wall -Wextra -fPIC -shared \
	    -D_GNU_SOURCE $$(cat /usr/share/kore/features) -o $@ $<

# Rewritten only when what they say changes: what hangs on them is then built
# anew after a change of flags, or when a file came or went.
define written_when_changed
@mkdir -p $(@D)
@echo '$(subst ','\'',$(1))' | cmp -s - $@ || \
    echo '$(subst ','\'',$(1))' >$@
endef
$(OUT)/flags: FORCE
	$(call written_when_changed,$(CC) $(CFLAGS_ALL))
$(OUT)/lib-members: FORCE
	$(call written_when_changed,$(LIB_OBJ) $(CTL_OBJ))
$(APP)/inputs: FORCE
	$(call written_when_changed,$(CC) $(INSTRUMENT) $(CFLAGS) $(LDFLAGS) $(FLAVOR) $(MODULE_SRC))

-include $(shell find $(OUT)/obj $(OUT)/unit $(OUT)/cli $(OUT)/e2e \
	   $(OUT)/cluster -name '*.d' 2>/dev/null)
