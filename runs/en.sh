#!/usr/bin/env bash
# Makes the models of the package, en-lm, en and en-backward, from texts alone: `runs/en.sh TEXTS OUTPUT`.
#
# TEXTS has corpus/*.txt.bz2 (documents, a blank line between them), everyday/*.txt.bz2 (a text a line; docs/sources.tsv
# names them), and held_out/*.txt. A finished step is not made again, and a step that was cut goes on where it was. The
# first three runs take some 4 hours on 2 cores; the teaching wants a GPU: 30 minutes, and 5 GB of its memory.
#
# The settings are those of the cards in skulmfit/pretrained. The bits are not: there, runs were made by earlier states of
# the code. `REHEARSE=1` does all of it in minutes on a slice of the texts, TEACHER names another teacher.
set -euo pipefail
texts=$(realpath "$1"); mkdir -p "$2"; output=$(realpath "$2"); here=$(realpath "$(dirname "$0")/..")
teacher=${TEACHER:-sentence-transformers/all-mpnet-base-v2}
shopt -s nullglob
corpus=("$texts"/corpus/*.txt.bz2); everyday=("$texts"/everyday/*.txt.bz2); held_out=("$texts"/held_out/*.txt)
cd "$output"

if [ -n "${REHEARSE:-}" ]; then  # a few hundred documents, a small network, a few updates
    tokens=(20000 10000 5000); updates=(6 8); vocabulary=(--vocab-size 2000); most=(--most 400)
    network=(--embedding-dim 32 --hidden-dim 48); sizes=(--streams 8 --bptt 16 --segment-pieces 512)
    documents() { bzcat "$@" 2> /dev/null | head -c 400000 || true; }  # bzcat complains when the slice is full
else
    tokens=(25600000 14600000 6000000); updates=(7050 14860); vocabulary=(); most=()
    network=(); sizes=(--streams 384 --bptt 64 --segment-pieces 32768)
    documents() { bzcat "$@"; }
fi

pretraining() { python -m skulmfit.pretraining "$@"; }
as_documents() { for file in "$@"; do documents "$file" | sed G; done; }
step() { local made=$1; shift; [ -e "$made.done" ] || { echo "== $made"; "$@"; touch "$made.done"; }; }
train() { [ -e "$1" ] || pretraining train --folder "$2" --output "$1" --resume "${@:3}"; }
teach() { [ -e "$1" ] || pretraining teach --folder taught --texts streams --output "$1" --resume --learning-rate 4e-3 \
    "${sizes[@]}" "${@:2}"; }

# A language model from text, the paper's first step: en-lm.
encode_1() { documents "${corpus[0]}" | pretraining encode - --folder encoded_1 "${vocabulary[@]}"; }
encode_2() { documents "${corpus[@]:1:1}" | pretraining encode - --folder encoded_2 --tokenizer run_1.npz; }
encode_3() {
    documents "${corpus[@]: -1}" > talk.txt
    python "$here/benchmarks/conversational.py" talk.txt --others 0.3 |
        pretraining encode - --folder encoded_3 --tokenizer run_1.npz
    rm talk.txt
}
step encoded_1 encode_1
train run_1.npz encoded_1 --tokens "${tokens[0]}" --batch-size 64 --learning-rate 5e-3 --embedding-rate 1 "${network[@]}"
step encoded_2 encode_2
train run_2.npz encoded_2 --tokens "${tokens[1]}" --start-from run_1.npz --batch-size 32 --learning-rate 2e-3 \
    --embedding-rate 0.5 "${network[@]}"
step encoded_3 encode_3
train en-lm.npz encoded_3 --tokens "${tokens[2]}" --start-from run_2.npz --batch-size 32 --learning-rate 2e-3 \
    --embedding-rate 0.5 --weight-decay 0.1 --warmup 0.02 --cooldown 0.98 "${network[@]}"

# What texts mean, from a sentence encoder: en, and its partner that reads from the end.
segment() {
    local opinions=() file
    mkdir -p slices
    for file in "${corpus[@]}" "${everyday[@]}"; do documents "$file" > "slices/$(basename "$file" .bz2)"; done
    for file in slices/opinion_*; do opinions+=(--weight "$(basename "$file")=1.5"); done
    pretraining segment slices --folder taught --tokenizer en-lm.npz "${most[@]}" "${opinions[@]}"
    rm -r slices
}
embed() { pretraining embed --folder taught --teacher "$teacher"; }
streams() {
    { documents "${corpus[@]}"; echo; as_documents "${everyday[@]}"; } |
        pretraining encode - --folder streams --tokenizer en-lm.npz
}
step taught segment
step vectors embed
step streams streams
teach run_4.npz --start-from en-lm.npz --updates "${updates[0]}" --cooldown 0 "${network[@]}"
teach en.npz --start-from run_4.npz --updates "${updates[1]}" --cooldown 0.65 "${network[@]}"
teach en-backward.npz --start-from run_4.npz --start-with turned --direction backward --updates "${updates[1]}" "${network[@]}"

for model in en-lm en en-backward; do
    step "$model.evaluated" pretraining evaluate "$model.npz" "${held_out[@]}" --update-card
done
