#!/usr/bin/env bash
# links.sh DIRECTORY: the links of a site lead somewhere: each href and src names a file of the directory, and each
# anchor an id in its page. Links to other sites are not followed.
set -euo pipefail
export LC_ALL=C

broken_links() { # DIRECTORY
  (
    cd "$1"
    ls >.files
    awk '
      FILENAME == ".files" {exists[$0]; next}
      {
        line = $0
        while (match(line, /(id|name|href|src)="[^"]*"/)) {
          found = substr(line, RSTART, RLENGTH)
          line = substr(line, RSTART + RLENGTH)
          kind = substr(found, 1, index(found, "=") - 1)
          value = substr(found, index(found, "\"") + 1)
          value = substr(value, 1, length(value) - 1)
          gsub(/&amp;/, "\\&", value)
          if (kind == "id" || kind == "name") anchors[FILENAME "#" value]
          else if (value !~ /^(https?:|mailto:|javascript:|data:)/) links[FILENAME "\t" value]
        }
      }
      END {
        for (link in links) {
          split(link, part, "\t")
          page = part[2]
          sub(/#.*/, "", page)
          anchor = part[2]
          if (!sub(/^[^#]*#/, "", anchor)) anchor = ""
          if (page == "") page = part[1]
          if (!(page in exists)) print part[1] ": no file " part[2]
          else if (anchor != "" && page ~ /\.html$/ && !((page "#" anchor) in anchors)) print part[1] ": no anchor " part[2]
        }
      }
    ' .files *.html | sort
    rm .files
  )
}

# Of a page with one link of each kind, those that lead nowhere are found.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/a.html" <<'HTML'
<h1 id="top"><a href="b.html">b</a> <a href="b.html#here">c</a> <a href="#top">d</a> <a href="https://example.org/x">e</a>
<a href="gone.html">f</a> <img src="gone.png"> <a href="b.html#gone">g</a> <a href="#gone">h</a>
HTML
echo '<a name="here"></a>' >"$work/b.html"
diff <(broken_links "$work") - <<'EXPECTED'
a.html: no anchor #gone
a.html: no anchor b.html#gone
a.html: no file gone.html
a.html: no file gone.png
EXPECTED

broken=$(broken_links "${1:?the folder of the site}")
pages=$(find "$1" -name '*.html' | wc -l)
echo "$pages pages"
[[ -z $broken && $pages -gt 100 && -f $1/method.html ]] || { echo "$broken" >&2 && exit 1; }
