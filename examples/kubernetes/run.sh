# One run of the tap into the target. The container's SIGTERM is passed to the tap, which then ends in good order, so that
# the target stores what it got and prints the state.
set -u
folder=$(dirname "$0")
pipe=$(mktemp -u)
mkfifo "$pipe"

target-jsonl --config "$folder/target.json" <"$pipe" >new.jsonl &
loading=$!
tap-mailchimp --config "$folder/config.json" --state state.json --no-progress >"$pipe" &
reading=$!

stopped=no
trap 'stopped=yes; kill -TERM $reading' TERM
wait $reading
read=$?
if [ $stopped = yes ]; then # the signal ended the first `wait`, not the tap
  wait $reading
  read=$?
fi
wait $loading
loaded=$?
rm -f "$pipe"

# A target that stored nothing prints nothing. The state is replaced whole, or not at all.
[ -s new.jsonl ] && tail -n 1 new.jsonl >state.new && mv state.new state.json
[ $loaded -eq 0 ] || exit $loaded
exit $read
