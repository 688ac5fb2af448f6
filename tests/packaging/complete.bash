# SPDX-License-Identifier: Apache-2.0
# Does what bash does when somebody presses the tab key: complete.bash FILE WORD... prints one
# proposal a line. The last word is the one that is completed.

set -u
source "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
read -r _ _ completes _ < <(complete -p "$1")
"$completes"
if ((${#COMPREPLY[@]})); then
  printf '%s\n' "${COMPREPLY[@]}"
fi
