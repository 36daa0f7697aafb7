# Builds the programs under build/<MODE>/. MODE is release (default), debug, asan, faults (with
# failpoints, common/failpoint.h) or fuzz (clang, for the fuzz targets); objects of different modes never mix.
# `make help` lists the targets; V=1 shows the commands.

MODE    ?= release
CC      ?= cc
B       := build/$(MODE)
VERSION := $(shell sed -n 's/^## \[\([0-9][^]]*\)\].*/\1/p' CHANGELOG.md | head -1)

PKGS    := libpq hiredis json-c uuid nettle libseccomp
WARN    := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings -Wvla \
           -Wformat=2 -Wpointer-arith -Wundef -Wno-unused-parameter
CPPFLAGS += -D_GNU_SOURCE -I. -DMCS_VERSION='"$(VERSION)"' $(shell pkg-config --cflags $(PKGS))
CFLAGS_release := -O2 -g -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection -fPIE
LDFLAGS_release := -pie -Wl,-z,relro,-z,now
CFLAGS_debug   := -O0 -g3
CFLAGS_asan    := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
LDFLAGS_asan   := -fsanitize=address,undefined
CFLAGS_faults  := -O1 -g -DMCS_FAILPOINTS
CFLAGS_fuzz    := -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined \
                  -fno-sanitize-recover=undefined
LDFLAGS_fuzz   := -fsanitize=address,undefined
ifeq ($(MODE),fuzz)
CC := clang
endif
CFLAGS  += -std=gnu11 $(WARN) $(CFLAGS_$(MODE))
LDFLAGS += $(LDFLAGS_$(MODE))
LDLIBS  += $(shell pkg-config --libs $(PKGS)) -lm

Q := $(if $(V),,@)

CALLS  := call create find id job keyring keys lifecycle message metrics next plan readiness recording render row \
          store \
          $(addprefix live/,admit apply claim query rebuild script)
calls_OBJ := $(CALLS:%=$(B)/calls/%.o)
COMMON := breaker buf clock config dial environment failpoint http_head json json_check listen log nearest params \
          percent pg privileges redis refusal resolve sentinel token ws ws_client \
          $(addprefix config/,file print rules table) $(addprefix pg/,schema value wire) \
          $(addprefix redis/,pipeline scripts subscribe)
common_OBJ := $(COMMON:%=$(B)/common/%.o) $(B)/gen/queries.o $(B)/gen/lua.o $(B)/gen/schema.o
# The clients that run on a libev loop: only programs with such a loop link them.
ASYNC  := pg/async pg/queue redis/async
async_OBJ := $(ASYNC:%=$(B)/common/%.o)
LIBS := $(B)/libcalls.a $(B)/libcommon.a

responder_SRC := fcgi/main.c \
                 $(addprefix fcgi/http/,pool.c gateway.c request.c body.c reply.c route.c router.c cors.c url.c refusals.c) \
                 $(addprefix fcgi/api/,routes.c auth.c error.c calls.c metrics.c service.c)
wsd_SRC       := $(addprefix wsd/,main.c server.c listener.c handshake.c conn.c inlet.c frame.c roster.c \
                   hub.c feed.c lookup.c database.c)
worker_SRC    := $(addprefix worker/,main.c worker.c poll.c batch.c advance.c upload.c reconcile.c rival.c audit.c retention.c)
admin_SRC     := $(addprefix admin/,main.c config.c migrate.c failed.c follow.c watch.c events.c ready.c listen.c)

supervisor_SRC := $(addprefix supervisor/,main.c supervisor.c control.c table.c component.c launch.c session.c folder.c \
                   logs.c say.c)

# The supervisor is for ./mcs only; elsewhere systemd or Docker is one.
INSTALLED := responder wsd worker admin
PROGRAMS  := $(INSTALLED) supervisor
responder_LIBS := -lfcgi
wsd_LIBS       := -lev -lwslay
BINS := $(PROGRAMS:%=$(B)/mcs-%)

all: $(BINS) ## Build the programs (default)

installed: $(INSTALLED:%=$(B)/mcs-%) ## Build the programs that make install installs

define program
$(B)/mcs-$(1): $$($(1)_SRC:%.c=$(B)/%.o) $$($(1)_EXTRA) $(LIBS)
	@echo "  LD    $$@"
	$$(Q)$$(CC) $$(LDFLAGS) -o $$@ $$^ $$($(1)_LIBS) $$(LDLIBS)
endef
$(B)/mcs-supervisor: LDLIBS := $(shell pkg-config --libs libseccomp)
admin_EXTRA := $(B)/gen/migrations.o
wsd_EXTRA   := $(B)/libasync.a
$(foreach p,$(PROGRAMS),$(eval $(call program,$(p))))

$(B)/libcalls.a: $(calls_OBJ)
$(B)/libcommon.a: $(common_OBJ)
$(B)/libasync.a: $(async_OBJ)
$(LIBS) $(B)/libasync.a:
	$(Q)rm -f $@ && ar rcs $@ $^

$(B)/%.o: %.c Makefile
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(B)/gen/%.o: $(B)/gen/%.c
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

# SQL and Lua live in files of their own; tools/embed turns them into C strings named after the files.
$(B)/gen/queries.c: tools/embed calls/columns.def $(wildcard sql/queries/*.sql)
	@mkdir -p $(@D)
	$(Q)tools/embed queries $(filter %.sql,$^) > $@
$(B)/gen/migrations.c: tools/embed $(wildcard sql/migrations/*.sql)
	@mkdir -p $(@D)
	$(Q)tools/embed migrations $(filter %.sql,$^) > $@
$(B)/gen/schema.c: $(wildcard sql/migrations/*.sql)
	@mkdir -p $(@D)
	$(Q)printf '%s\n' $(notdir $^) | sort -n | sed -n '$$s/^0*\([0-9]*\)_.*/extern const int embedded_schema;\nconst int embedded_schema = \1;/p' > $@
$(B)/gen/lua.c: tools/embed $(wildcard lua/*.lua)
	@mkdir -p $(@D)
	$(Q)tools/embed lua $(filter %.lua,$^) > $@

# --- unit tests: one program for each module, no test framework beyond tests/unit/test.h -------------------
UNIT := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/test_*.c))
FUZZ := request target params json call handshake inlet config
$(B)/tests/%: tests/unit/%.c tests/unit/test.h $(LIBS) Makefile
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -MMD -MP -o $@ $< $(filter %.o,$^) $(LIBS) $(UNIT_LIBS) $(LDLIBS)
$(B)/tests/test_frame: $(B)/wsd/frame.o
$(B)/tests/test_handshake: $(B)/wsd/handshake.o
$(B)/tests/test_hub: $(B)/wsd/hub.o $(B)/wsd/frame.o
$(B)/tests/test_hub: UNIT_LIBS := -lev
$(B)/tests/test_inlet: $(B)/wsd/inlet.o $(B)/wsd/frame.o
$(B)/tests/test_inlet: UNIT_LIBS := -lwslay
$(B)/tests/test_redis_async $(B)/tests/test_pg_async: $(async_OBJ)
$(B)/tests/test_redis_async $(B)/tests/test_pg_async: UNIT_LIBS := -lev
$(B)/tests/test_request: $(B)/fcgi/http/request.o
$(B)/tests/test_reply: $(B)/fcgi/http/reply.o
$(addprefix $(B)/tests/,test_component test_control test_folder test_logs test_table): $(filter-out %/main.o,$(supervisor_SRC:%.c=$(B)/%.o))
$(B)/tests/test_gateway: $(B)/fcgi/http/gateway.o
$(B)/tests/test_gateway: UNIT_LIBS := -lfcgi
$(B)/tests/test_route: $(B)/fcgi/http/route.o
$(B)/tests/test_router: $(patsubst %,$(B)/fcgi/http/%.o,router route body request reply cors)
$(B)/tests/test_error: $(B)/fcgi/api/error.o $(B)/fcgi/http/reply.o
# Modules of the worker, with the clock and the stores of tests/unit/fake_stores.h in place of ours.
WORKER_UNIT := advance audit batch poll reconcile retention rival upload
FAKES := clock_monotonic_ms pg_disconnect pg_exec pg_session pg_sqlstate pg_timed_out redis_run_id row_read \
         live_apply_queue live_drain live_drop_queue live_is_ready live_requeue_queue live_restore_queue \
         worker_sleep worker_stopping
$(WORKER_UNIT:%=$(B)/tests/test_%): $(patsubst %.c,$(B)/%.o,$(filter-out %/main.c,$(worker_SRC)))
$(WORKER_UNIT:%=$(B)/tests/test_%): LDFLAGS += $(FAKES:%=-Wl,--wrap=%)
$(B)/tests/test_advance: FAKES += live_find live_invalidate row_find row_insert
$(B)/tests/test_audit: FAKES += reconcile_page redis_queue redis_next
$(B)/tests/test_reconcile: FAKES += live_rebuild_begin live_rebuild_end pg_exec_open rival_give_way rival_is_there \
                                    rival_warn_off
$(B)/tests/test_poll: FAKES += audit_run batch_run live_claim live_heard live_listen pg_connect reconcile_run \
                               redis_connect redis_fd retention_run rival_give_way rival_warn_off worker_wait
# Operations of calls/, with stores that answer as the test says.
$(B)/tests/test_create: FAKES := store_postgres store_redis store_config store_stripe store_note_write store_add_refusal \
                                 store_postgres_failed store_redis_failed live_admit live_release live_invalidate row_insert
$(B)/tests/test_find: FAKES := store_postgres store_redis_for_reading store_postgres_failed store_redis_failed live_find row_find
$(B)/tests/test_create $(B)/tests/test_find: LDFLAGS += $(FAKES:%=-Wl,--wrap=%)
unit: $(UNIT:%=$(B)/tests/%) $(FUZZ:%=$(B)/tests/test_corpus_%) ## Build the unit tests

# --- fuzz targets: linked with libFuzzer by MODE=fuzz, else with a replay of their corpus ----------
$(B)/fuzz/%: LDFLAGS += -fsanitize=fuzzer
$(FUZZ:%=$(B)/fuzz/%): $(B)/fuzz/%: $(B)/tests/fuzz/fuzz_%.o
$(FUZZ:%=$(B)/tests/test_corpus_%): $(B)/tests/test_corpus_%: $(B)/tests/fuzz/fuzz_%.o $(B)/tests/fuzz/replay.o
$(B)/fuzz/request $(B)/tests/test_corpus_request: $(filter-out %/main.o %/pool.o %/gateway.o,$(responder_SRC:%.c=$(B)/%.o))
$(B)/fuzz/target $(B)/tests/test_corpus_target: $(B)/fcgi/http/request.o $(B)/fcgi/http/gateway.o
$(B)/fuzz/target $(B)/tests/test_corpus_target: UNIT_LIBS := -lfcgi
$(B)/fuzz/handshake $(B)/tests/test_corpus_handshake: $(B)/wsd/handshake.o
$(B)/fuzz/inlet $(B)/tests/test_corpus_inlet: $(B)/wsd/inlet.o $(B)/wsd/frame.o
$(B)/fuzz/inlet $(B)/tests/test_corpus_inlet: UNIT_LIBS := -lwslay
$(FUZZ:%=$(B)/fuzz/%) $(FUZZ:%=$(B)/tests/test_corpus_%): $(LIBS)
	@mkdir -p $(@D)
	@echo "  LD    $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LIBS) $(UNIT_LIBS) $(LDLIBS)
fuzz: $(FUZZ:%=$(B)/fuzz/%)

tools: $(addprefix $(B)/tests/,wscat load relay clock.so names.so)
$(B)/tests/clock.so $(B)/tests/names.so: $(B)/tests/%.so: tests/harness/%.c Makefile
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$(Q)$(CC) $(CPPFLAGS) -std=gnu11 -O1 $(WARN) -fPIC -shared -o $@ $<
load_SRC := $(addprefix tests/harness/load/,main.c loop.c client.c traffic.c journal.c subscriber.c crowd.c \
              late.c fan.c audience.c publisher.c processes.c)
$(B)/tests/wscat: $(B)/tests/harness/wscat.o $(B)/tests/harness/wscat_cases.o
$(B)/tests/load: $(load_SRC:%.c=$(B)/%.o) $(B)/wsd/frame.o
$(B)/tests/relay: $(B)/tests/harness/relay.o
$(B)/tests/wscat $(B)/tests/load $(B)/tests/relay: $(LIBS)
	@echo "  LD    $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LIBS) $(LDLIBS)

# --- the programs of ./mcs bench -------------------------------------------------------------------
BENCH := floor late push
$(B)/bench/floor: $(B)/fcgi/http/pool.o
$(B)/bench/floor: BENCH_LIBS := -lfcgi
$(B)/bench/push: BENCH_LIBS := -lev
$(BENCH:%=$(B)/bench/%): $(B)/bench/%: bench/%.c $(LIBS) Makefile
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -MMD -MP -o $@ $< $(filter %.o,$^) $(LIBS) $(BENCH_LIBS) $(LDLIBS)
bench: $(BENCH:%=$(B)/bench/%) $(B)/tests/load ## Build the programs of ./mcs bench

# --- installing: make install PREFIX=/usr DESTDIR=… -------------------------------------------------
PREFIX  ?= /usr/local
DESTDIR ?=
SBINDIR ?= $(PREFIX)/sbin
DATADIR ?= $(PREFIX)/share/mcs
MANDIR  ?= $(PREFIX)/share/man
UNITDIR ?= $(PREFIX)/lib/systemd/system
# The group that may connect to the sockets in /run/mcs: the web server's.
WEBGROUP ?= www-data

MANUALS  := $(notdir $(wildcard docs/man/*.[58]))
SERVICES := mcs-responders mcs-wsd mcs-worker
UNITS    := mcs.target mcs-responders.socket $(SERVICES:%=%.service)
DATA     := $(wildcard sql/*.sql sql/*/*.sql lua/*.lua) lighttpd.conf \
            $(filter-out deploy/systemd/%,$(shell find deploy -type f))
FILL     := sed -e 's|@sbindir@|$(SBINDIR)|g' -e 's|@datadir@|$(DATADIR)|g' -e 's|@webgroup@|$(WEBGROUP)|g'
# The date of the newest version; if that is not released, the date of the source, or today.
DATE     := $(or $(shell sed -n '/^## /{s/^.* - \([0-9-]*\)$$/\1/p;q;}' CHANGELOG.md),$(SOURCE_DATE_EPOCH:%=@%))

$(B)/man/%: docs/man/% $(B)/mcs-admin CHANGELOG.md
	@mkdir -p $(@D)
	$(Q)$(B)/mcs-admin config --mdoc | sed -e '/^@settings@$$/{r /dev/stdin' -e 'd;}' \
	  -e "s|@date@|$$(LC_ALL=C date -u -d "$(DATE)" '+%B %-d, %Y')|" $< > $@
man: $(MANUALS:%=$(B)/man/%) ## Build the manual pages

install: installed man ## Install under PREFIX (/usr/local), for packages below DESTDIR
	install -d $(addprefix $(DESTDIR),$(SBINDIR) $(MANDIR)/man5 $(MANDIR)/man8 $(UNITDIR) \
	  $(PREFIX)/lib/sysusers.d $(PREFIX)/lib/tmpfiles.d)
	install $(INSTALLED:%=$(B)/mcs-%) tools/mcs-setup $(DESTDIR)$(SBINDIR)
	$(Q)for page in $(MANUALS); do \
	  install -m 644 $(B)/man/$$page $(DESTDIR)$(MANDIR)/man$${page##*.}/ || exit; done
	$(Q)for file in $(DATA); do install -D -m 644 $$file $(DESTDIR)$(DATADIR)/$$file || exit; done
	$(FILL) deploy/lighttpd/50-mcs.conf | install -m 644 /dev/stdin $(DESTDIR)$(DATADIR)/deploy/lighttpd/50-mcs.conf
	$(Q)for unit in $(UNITS); do \
	  $(FILL) deploy/systemd/$$unit | install -m 644 /dev/stdin $(DESTDIR)$(UNITDIR)/$$unit || exit; done
	$(Q)for service in $(SERVICES); do \
	  install -D -m 644 deploy/systemd/common.conf $(DESTDIR)$(UNITDIR)/$$service.service.d/common.conf || exit; done
	install -m 644 deploy/systemd/sysusers.conf $(DESTDIR)$(PREFIX)/lib/sysusers.d/mcs.conf
	$(FILL) deploy/systemd/tmpfiles.conf | install -m 644 /dev/stdin $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/mcs.conf

uninstall: ## Remove what make install installed, with the same PREFIX and DESTDIR
	rm -f $(addprefix $(DESTDIR)$(SBINDIR)/,$(INSTALLED:%=mcs-%) mcs-setup) $(UNITS:%=$(DESTDIR)$(UNITDIR)/%) \
	  $(foreach page,$(MANUALS),$(DESTDIR)$(MANDIR)/man$(lastword $(subst ., ,$(page)))/$(page)) \
	  $(DESTDIR)$(PREFIX)/lib/sysusers.d/mcs.conf $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/mcs.conf
	rm -rf $(DESTDIR)$(DATADIR) $(SERVICES:%=$(DESTDIR)$(UNITDIR)/%.service.d)

deb: ## Build the Debian package in build/
	$(Q)tools/make-deb $(VERSION)

lint: ## Check layout, style, layering and the shell scripts
	$(Q)tools/lint

run: ## ./mcs run
	./mcs run
test: ## ./mcs test
	./mcs test

clean: ## Remove everything that was built
	rm -rf build

help: ## This list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 12

-include $(wildcard $(B)/*/*.d $(B)/*/*/*.d)

.PHONY: all installed unit fuzz tools bench man install uninstall deb lint run test clean help
.DELETE_ON_ERROR:
.SECONDARY:
