# shellcheck shell=bash
# Shared functions that remove secrets from texts by their values, wherever they stand and however they are written. Source this file.

# Parts of names of settings, and of parameters in addresses, whose values are secrets.
readonly SECRET_NAME='[A-Z0-9_]*(KEY|PASS|TOKEN|SECRET|CREDENTIAL|USER|PRIVATE)[A-Z0-9_]*'
readonly SECRET_PARAMETER='[a-z0-9_.-]*(key|pass|pwd|token|secret|credential|user|login|auth|sign)[a-z0-9_-]*'

# Reads settings (NAME=value, "NAME=value", NAME: value in YAML, also over several lines) and prints the values of those with a secret name, one per
# line: whole, and each part of a list. Of addresses it prints user, password and secret parameters, whatever the setting is.
# Short values are left out, because they appear inside other words: passwords below 4 characters, user names below 6.
secret_values() {
  awk -v secret_parameter="^$SECRET_PARAMETER\$" '
    function emit(value, least,    parts, count, i) {
      gsub(/\\n/, "\n", value)
      if (value !~ /\n/ && length(value) >= least) print value
      count = split(value, parts, /[,;[:space:]]+/)
      for (i = 1; i <= count; i++) if (length(parts[i]) >= least && parts[i] !~ /^(true|false|none|null)$/) print parts[i]
    }
    # Docker escapes what JSON and HTML need, Compose doubles the dollar.
    function emit_unescaped(value, least) {
      emit(value, least)
      gsub(/\\u0026/, "\\&", value); gsub(/\\u003c/, "<", value); gsub(/\\u003e/, ">", value); gsub(/\\"/, "\"", value); gsub(/\\\\/, "\\", value); gsub(/\$\$/, "$", value)
      emit(value, least)
    }
    function decoded(text,    at, result) {
      while ((at = index(text, "%")) > 0 && substr(text, at + 1, 2) ~ /^[0-9A-Fa-f][0-9A-Fa-f]$/) {
        result = result substr(text, 1, at - 1) sprintf("%c", 16 * digit(substr(text, at + 1, 1)) + digit(substr(text, at + 2, 1)))
        text = substr(text, at + 3)
      }
      return result text
    }
    function digit(character) { return index("0123456789abcdef", tolower(character)) - 1 }
    function addresses(text,    rest, user, pair, name) {
      rest = text
      while (match(rest, /:\/\/[^\/@[:space:]"'"'"']+@/)) {
        user = substr(rest, RSTART + 3, RLENGTH - 4)
        rest = substr(rest, RSTART + RLENGTH)
        emit(user, 6); sub(/:/, ",", user); emit(user, 6); emit(decoded(user), 6)
      }
      rest = text
      while (match(rest, /[?&;][A-Za-z0-9_.-]+=[^&;[:space:]"'"'"']+/)) {
        pair = substr(rest, RSTART + 1, RLENGTH - 1)
        rest = substr(rest, RSTART + RLENGTH)
        name = tolower(substr(pair, 1, index(pair, "=") - 1))
        pair = substr(pair, index(pair, "=") + 1)
        if (name ~ secret_parameter) { emit(pair, 4); emit(decoded(pair), 4) }
      }
    }
    {
      line = $0
      addresses(line)
      # The rest of a quoted value, and of a YAML block.
      if (quote != "") {
        at = index(line, quote)
        emit_unescaped(at ? substr(line, 1, at - 1) : line, least)
        if (at) quote = ""
        next
      }
      match(line, /^ */)
      if (block >= 0 && NR > 1 && in_block && (RLENGTH > block || line ~ /^ *$/)) { sub(/^ +/, "", line); emit_unescaped(line, least); next }
      in_block = 0
      indent = RLENGTH
      sub(/^[[:space:]]*(-[[:space:]]+)?["'"'"']?(export[[:space:]]+)?/, "", line)
      if (!match(line, /^[A-Za-z_][A-Za-z0-9_]*["'"'"']?[[:space:]]*[=:][[:space:]]*/)) next
      name = toupper(substr(line, 1, RLENGTH))
      value = substr(line, RLENGTH + 1)
      sub(/[^A-Z0-9_].*/, "", name)
      if (name !~ /(KEY|PASS|TOKEN|SECRET|CREDENTIAL|USER|PRIVATE)/ || name ~ /_FILE$/) next
      least = name ~ /USER/ ? 6 : 4
      if (value ~ /^[|>][-+]?$/) { in_block = 1; block = indent; next }
      first = substr(value, 1, 1)
      if (first == "\"" || first == "'"'"'" || first == "`") {
        value = substr(value, 2)
        at = index(value, first)
        if (at == 0) { quote = first; emit_unescaped(value, least); next }
        emit_unescaped(substr(value, 1, at - 1), least)
        sub(/["'"'"'`][[:space:]]*(#.*)?$/, "", value)
        emit_unescaped(value, least)
        next
      }
      sub(/["'"'"']?,?[[:space:]]*$/, "", value)
      emit_unescaped(value, least)
      if (sub(/[[:space:]]+#.*/, "", value)) emit_unescaped(value, least)
    }'
}

# Reads secrets, one per line, and prints every form in which services and tools write them, the longest first.
secret_forms() {
  sort -u | awk '
    BEGIN {
      for (i = 1; i < 256; i++) code[sprintf("%c", i)] = i
      # What a parameter, a parameter written by JavaScript, and a path keep.
      safe[0] = "[A-Za-z0-9_.~-]"; safe[1] = "[A-Za-z0-9_.!~*'"'"'()-]"; safe[2] = "[A-Za-z0-9_.!~*'"'"'()/:@&=+$,;-]"
      digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    }
    function encoded(text, kept, format,    i, character, result) {
      for (i = 1; i <= length(text); i++) {
        character = substr(text, i, 1)
        result = result (character ~ kept ? character : sprintf(format, code[character]))
      }
      return result
    }
    # Writes `to` for every `from`; neither is an expression.
    function replaced(text, from, to,    at, result) {
      while ((at = index(text, from)) > 0) { result = result substr(text, 1, at - 1) to; text = substr(text, at + length(from)) }
      return result text
    }
    # The characters that Base64 writes for a secret, whatever stands before and after it: one form for each of the three positions in a group.
    function base64_forms(text,    shift, i, bits, count, result) {
      if (length(text) < 6) return
      for (shift = 0; shift < 3; shift++) {
        bits = 0; count = 0; result = ""
        for (i = 1 - shift; i <= length(text); i++) {
          bits = bits * 256 + (i < 1 ? 0 : code[substr(text, i, 1)])
          count += 8
          while (count >= 6) {
            count -= 6
            at = int(bits / 2 ^ count)
            result = result substr(digits, at + 1, 1)
            bits -= at * 2 ^ count
          }
        }
        # The first characters also have bits of what stands before.
        if (shift > 0) result = substr(result, shift + 2)
        form(result)
        gsub(/\+/, "-", result); gsub(/\//, "_", result)
        form(result)
      }
    }
    function form(text) { if (!(text in seen)) { seen[text] = 1; print length(text) "\t" text } }
    function all_forms(text,    json, go, url) {
      form(text)
      json = replaced(replaced(text, "\\", "\\\\"), "\"", "\\\"")
      form(json); form(replaced(json, "/", "\\/"))
      go = replaced(replaced(replaced(json, "&", "\\u0026"), "<", "\\u003c"), ">", "\\u003e")
      form(go)
      # A JSON line inside another one.
      form(replaced(replaced(json, "\\", "\\\\"), "\"", "\\\"")); form(replaced(replaced(go, "\\", "\\\\"), "\"", "\\\""))
      form(replaced(text, "$", "$$")); form(replaced(json, "$", "$$"))
      form(replaced(text, "'"'"'", "'"'"''"'"'"))
      form(replaced(replaced(replaced(replaced(text, "&", "&amp;"), "<", "&lt;"), ">", "&gt;"), "\"", "&quot;"))
      # In an address, in a form, and encoded twice.
      for (i = 0; i < 2; i++) {
        hexadecimal = i ? "%%%02x" : "%%%02X"
        for (kept = 0; kept < 3; kept++) {
          url = encoded(text, safe[kept], hexadecimal)
          form(url); form(replaced(url, "%", "%25")); form(replaced(url, "%20", "+"))
        }
      }
    }
    { all_forms($0); base64_forms($0) }' | sort -rn | sed 's/^[0-9]*	//'
}

# redact FILE: known secrets of FILE in every form, then everything that looks like one: NAME=…, "name": "…", Bearer …, user:password@, parameters and
# token paths of addresses, WireGuard keys, PEM blocks.
redact() {
  awk -v forms="$1" '
    BEGIN { while ((getline text < forms) > 0) if (text != "") secret[++count] = text }
    /-----BEGIN .*PRIVATE KEY/ { hidden = 1; print "[redacted key]" }
    hidden { if (/-----END/) hidden = 0; next }
    {
      for (i = 1; i <= count; i++) if ((at = index($0, secret[i])) > 0) {
        rest = $0; line = ""
        do { line = line substr(rest, 1, at - 1) "[redacted]"; rest = substr(rest, at + length(secret[i])) } while ((at = index(rest, secret[i])) > 0)
        $0 = line rest
      }
      print
    }' | sed -E \
    -e "s/([\"'])($SECRET_NAME)=[^\"']*/\1\2=[redacted]/g" \
    -e "s/^([[:space:]]*(- )?(export )?$SECRET_NAME[[:space:]]*[=:][[:space:]]*).+/\1[redacted]/" \
    -e "s/($SECRET_NAME)=[^[:space:]\"'[][^[:space:]\"']*/\1=[redacted]/g" \
    -e 's/("[a-z_-]*(api_?key|password|passwd|token|secret|authorization|private_?key|preshared_?key|username)"[[:space:]]*:[[:space:]]*)"[^"]*"/\1"[redacted]"/gI' \
    -e 's/(bearer|basic)[[:space:]]+[^[:space:]",]+/\1 [redacted]/gI' \
    -e 's#(://)[^/@[:space:]"]+@#\1[redacted]@#g' \
    -e "s/([?&;]$SECRET_PARAMETER=)[^&;[:space:]\"]+/\1[redacted]/gI" \
    -e "s/(%3F|%26)($SECRET_PARAMETER)%3D[^%&[:space:]\"]+/\1\2%3D[redacted]/gI" \
    -e 's#(/t/)[A-Za-z0-9._~-]{16,}/#\1[redacted]/#g' \
    -e 's#(^|[^A-Za-z0-9+/])[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=($|[^A-Za-z0-9+/=])#\1[redacted]\2#g'
}
