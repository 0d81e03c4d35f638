#!/bin/sh
# SPDX-License-Identifier: MIT
# snippets_test.sh FOLDER COMPILER FLAG...: shows that snippets.sh passes a right document, and fails
# for each mistake that a document can hold.
# shellcheck disable=SC2016  # the backquotes are Markdown
set -eu
check=$(cd "$(dirname "$0")" && pwd)/snippets.sh
mkdir -p "$1/root"
folder=$(cd "$1" && pwd)
shift
echo 'a file of the source tree' >"$folder/root/file"
failures=0

document() { printf '%b\n' "$@" >"$folder/document.md"; }

# check COMPILER FLAG...: what the check says of the document.
check() { sh "$check" "$folder/root" "$folder/run" "$folder/document.md" -- "$@" 2>&1; }

# expect TEXT: the check must fail and say TEXT.
expect() {
  text=$1
  shift
  if said=$(check "$@") || ! echo "$said" | grep -qF "$text"; then
    echo "not found: $text; the check said: $said"
    failures=$((failures + 1))
  fi
}

hello='```cpp\n#include <cstdio>\nint main() { std::puts("hello"); }\n```'
test='<!-- test: hello -->' output='<!-- output: hello -->'

document 'Some words.' '```text\nnot marked, not code\n```' "$test" '' "$hello" 'It prints:' \
  "$output" '```\nhello\n```' '<!-- test: again -->' '```sh\n./hello; cat pixelrnn/file\n```' \
  '<!-- output: again -->' '```text\nhello\na file of the source tree\n```' \
  '<!-- test: project -->' '```cmake\nadd_executable(hello main.cpp)\n```'
said=$(check "$@") || { echo "a right document was refused: $said"; failures=1; }
echo "$said" | grep -qF '3 blocks, 0 failures' || { echo "miscounted: $said"; failures=1; }

document "$test" "$hello" "$output" '```\nhallo\n```'
expect 'hello prints something else' "$@"
document "$test" "$hello" "$output" '```\nhello\n\n```'
expect 'hello prints something else' "$@"
document "$test" '```cpp\nint main() { return x; }\n```'
expect 'hello fails' "$@"
document "$test" '```cpp\nint main() { return 1; }\n```'
expect 'hello fails' "$@"
document "$test" '```sh\nfalse\ntrue\n```'
expect 'hello fails' "$@"
document "$test" '```cmake\nfind_package(NoSuchPackage REQUIRED)\n```' "$test" "$hello"
expect 'two tests are called hello' "$@"
document '<!-- test: program -->' "$hello" "$test" '```cmake\nfind_package(NoSuch REQUIRED)\n```'
expect 'hello fails' "$@"
document '```sh\nfalse\n```'
expect 'no marked block in' "$@"
document "$test" "$hello" 'And:' '```cpp\nnot marked\n```'
expect 'a block of cpp without a mark, line 7 of the text' "$@"
document "$test" 'Words between.' "$hello"
expect 'no block after the mark of hello' "$@"
document "$test"
expect 'no block' "$@"
document "$test" '```cpp\nint main() {}\n'
expect 'no end of it' "$@"
document "$test" '```python\nprint(1)\n```'
expect 'hello is a block of "python"' "$@"
document "$test" "$hello" '<!-- output: helo -->' '```\nhello\n```'
expect 'output of no test: helo' "$@"
document '<!-- test hello -->' "$hello"
expect 'no mark, but looks like one' "$@"

echo "$failures mistakes not found"
test "$failures" -eq 0
