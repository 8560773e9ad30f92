#!/bin/sh
# Corgi's role and its database, made once, with the first start of the
# PostgreSQL server: for /docker-entrypoint-initdb.d. The password never is part
# of a command line.
set -eu

CORGI_PASSWORD_FILE=${CORGI_PASSWORD_FILE:-/run/secrets/corgi_password}
export CORGI_PASSWORD_FILE
psql -q -X -v ON_ERROR_STOP=1 -U "${POSTGRES_USER:-postgres}" -d postgres <<'SQL'
\set password `cat "$CORGI_PASSWORD_FILE"`
CREATE ROLE corgi LOGIN PASSWORD :'password';
CREATE DATABASE corgi OWNER corgi;
SQL
