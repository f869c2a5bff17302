#!/usr/bin/env bash
# Keeps the certificates of the server and publishes the authority that vouches for them.
#
#   ca.crt, ca.key      the authority, made once for the life of the volume; only root reads its key
#   server.pem          certificate and key of the server, made anew 30 days before it ends
#   report_reader.pem   certificate and key for Data Studio, made where it is let in; they leave this
#                       host only in a session of the owner, so nothing else stores the key
#
# To begin with a new authority (a stolen key, or its end after ten years) remove ca.crt and run it:
# all that it signed is made anew, and Data Studio needs the new report_reader.pem.
# Python from 3.13 on verifies strictly: the extensions are those that RFC 5280 asks for.
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
umask 077

AUTHORITY_DAYS=3650
SERVER_DAYS=397
RENEW_BEFORE_S=$((30 * 24 * 3600))
NEW_KEY=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -sha256)

make_authority() {
    openssl req -x509 "${NEW_KEY[@]}" -days "$AUTHORITY_DAYS" -subj "/CN=listening history CA" \
        -addext "basicConstraints=critical,CA:TRUE,pathlen:0" \
        -addext "keyUsage=critical,keyCertSign,cRLSign" \
        -keyout "$WORK/ca.key" -out "$WORK/ca.crt" 2> "$WORK/said" || fail "$(< "$WORK/said")"
    chmod 644 "$WORK/ca.crt"
    # The certificate goes last: where it is, the key is.
    mv "$WORK/ca.key" "$WORK/ca.crt" "$TLS/"
}

# Make FILE: a certificate for SUBJECT, good for DAYS, with its key (PKCS 8) behind it, so that one
# step puts both in place. The further words are lines of extensions.
issue() {
    local file=$1 owner=$2 subject=$3 days=$4
    shift 4
    openssl req -new "${NEW_KEY[@]}" -subj "$subject" -keyout "$WORK/key" -out "$WORK/request" \
        2> "$WORK/said" || fail "$(< "$WORK/said")"
    printf '%s\n' "$@" "basicConstraints=critical,CA:FALSE" "keyUsage=critical,digitalSignature" \
        "subjectKeyIdentifier=hash" "authorityKeyIdentifier=keyid" > "$WORK/extensions"
    openssl x509 -req -in "$WORK/request" -CA "$TLS/ca.crt" -CAkey "$TLS/ca.key" \
        -set_serial "0x$(openssl rand -hex 16)" -days "$days" -sha256 \
        -extfile "$WORK/extensions" -out "$WORK/certificate" 2> "$WORK/said" ||
        fail "$(< "$WORK/said")"
    cat "$WORK/certificate" "$WORK/key" > "$WORK/pem"
    chown "$owner:" "$WORK/pem"
    mv "$WORK/pem" "$file"
    say "made ${file##*/}"
}

# Tell whether a certificate is ours and does not end soon.
is_good() {
    [ -s "$1" ] && openssl verify -CAfile "$TLS/ca.crt" "$1" > "$WORK/said" 2>&1 &&
        openssl x509 -in "$1" -noout -checkend "$RENEW_BEFORE_S" > "$WORK/said"
}

# A name has at most 64 characters as a subject, and any number as an alternative name.
names_host() {
    openssl x509 -in "$1" -noout -checkhost "$DB_HOST" | grep --quiet "does match"
}

publish() {
    bounded 12 aws ssm put-parameter --name "$CA_PARAMETER" --type String --overwrite \
        --value "file://$TLS/ca.crt" > /dev/null
}

install -d -m 755 "$TLS"
WORK=$(mktemp -d "$TLS/.work.XXXXXX")
trap 'rm -rf "$WORK"' EXIT

[ -s "$TLS/ca.crt" ] || make_authority
if ! is_good "$TLS/server.pem" || ! names_host "$TLS/server.pem"; then
    issue "$TLS/server.pem" postgres "/CN=listening history" "$SERVER_DAYS" \
        "subjectAltName=DNS:$DB_HOST" "extendedKeyUsage=serverAuth"
fi
# A person carries it to Data Studio by hand, so it lasts as long as its authority does.
if [ -n "$DATA_STUDIO_CIDRS" ] && ! is_good "$TLS/report_reader.pem"; then
    issue "$TLS/report_reader.pem" root "/CN=report_reader" "$AUTHORITY_DAYS" "extendedKeyUsage=clientAuth"
fi
retry 30 publish
reload
