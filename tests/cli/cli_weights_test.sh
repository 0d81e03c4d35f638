#!/bin/sh
# SPDX-License-Identifier: MIT
# cli_weights_test.sh TOOL FOLDER: weights to another program and back, by the tool and by the scripts
# of examples/weights, which need Python's safetensors: installed, or downloaded to a folder of the
# test's. Works in FOLDER.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
scripts=$here/../../examples/weights
. "$here/helpers.sh"

"$tool" train --data train.idx.gz --layers 2 --hidden 4 --head 6 --epochs 1 --threads 1 \
  --out trained.st >/dev/null
"$tool" export --model trained.st --out ours.safetensors >/dev/null
cat >names.txt <<'END'
# what a PyTorch program might call them
input.weights stem.weight
input.bias    stem.bias
END
for block in 0 1; do
  for side in left right; do
    from=blocks.$block.recurrence.$side to=lstm.$block.$side
    cat >>names.txt <<END
$from.input_weights $to.input.weight linear gates=ifgo
$from.state_weights $to.state.weight conv1d gates=ifgo
$from.bias          $to.bias gates=ifgo
$from.h0            $to.h0
$from.c0            $to.c0
END
  done
  echo "blocks.$block.upsample.weights  up.$block.weight linear" >>names.txt
  echo "blocks.$block.upsample.bias     up.$block.bias" >>names.txt
done
for layer in head1 head2 logits; do
  echo "$layer.weights $layer.weight" >>names.txt
  echo "$layer.bias    $layer.bias" >>names.txt
done

echo "== to another program and back, by the tool"
"$tool" export --model trained.st --names names.txt --out theirs.safetensors >exported.txt
grep -q "parameters" exported.txt || fail "export says nothing: $(cat exported.txt)"
"$tool" import --from theirs.safetensors --names names.txt --image 28x28x1 --layers 2 --hidden 4 \
  --head 6 --out back.safetensors --json import.json >/dev/null
json import.json parameters out
for model in ours back; do
  "$tool" evaluate --model $model.safetensors --data test.idx --json $model.json >/dev/null
done
test "$(value ours.json nats_per_image)" = "$(value back.json nats_per_image)" ||
  fail "imported weights give $(cat back.json)"
# The control: gates in another order are another model.
sed 's/gates=ifgo/gates=figo/' names.txt >wrong.txt
"$tool" import --from theirs.safetensors --names wrong.txt --image 28x28x1 --layers 2 --hidden 4 \
  --head 6 --out wrong.safetensors >/dev/null
"$tool" evaluate --model wrong.safetensors --data test.idx --json wrong.json >/dev/null
test "$(value ours.json nats_per_image)" != "$(value wrong.json nats_per_image)" ||
  fail "gates in any order are the same model"

echo "== a Gated PixelCNN of dilated kernels, by the table that stands in examples/weights"
taught="--model gated_pixel_cnn --layers 8 --hidden 4 --head 0 --head-elu --plain-first --first-kernel 3
  --dilations 1,2,1,4,1,2,1"
# The words are meant to be split.
# shellcheck disable=SC2086
"$tool" train --data train.idx.gz --binarize none --levels 4 $taught --steps 1 --batch-size 4 \
  --threads 1 --out gated.st >/dev/null
"$tool" train --data train.idx.gz --resume gated.st --steps 2 --threads 1 --out gated.st >/dev/null
"$tool" export --model gated.st --names "$scripts/uva_gated.names" --out taught.safetensors >/dev/null
# shellcheck disable=SC2086
"$tool" import --from taught.safetensors --names "$scripts/uva_gated.names" --image 28x28x1 \
  --levels 4 $taught --out again.safetensors >/dev/null
for model in gated.st again.safetensors; do
  "$tool" evaluate --model $model --data test.idx --limit 20 --json $model.json >/dev/null
done
test "$(value gated.st.json nats_per_image)" = "$(value again.safetensors.json nats_per_image)" ||
  fail "the imported Gated PixelCNN gives $(cat again.safetensors.json)"
refused "--plain-first and --head-elu are of gated_pixel_cnn, not of pixel_cnn" train \
  --data train.idx.gz --model pixel_cnn --head-elu --out none.st
refused "--kernel is of gated_pixel_cnn and wavenet, not of row_lstm" train --data train.idx.gz \
  --model row_lstm --kernel 5 --out none.st
refused "--cycle is of wavenet, not of diagonal_bilstm" train --data train.idx.gz --cycle 5 --out none.st
refused "--dilations: -2, expected a whole number" train --data train.idx.gz --model gated_pixel_cnn \
  --dilations 1,-2 --out none.st
refused "head=0}, expected 1 or more of each" train --data train.idx.gz --head 0 --out none.st

echo "== what does not fit is refused"
refused "does not fit; shapes: " import --from theirs.safetensors --names names.txt \
  --image 28x28x1 --layers 2 --hidden 4 --head 7 --out none.st
refused "not named: blocks.2.recurrence.left.input_weights" import --from theirs.safetensors \
  --names names.txt --image 28x28x1 --layers 3 --hidden 4 --head 6 --out none.st
refused "--image is 28, expected HEIGHTxWIDTHxCHANNELS" import --from theirs.safetensors \
  --names names.txt --image 28 --out none.st
head -n 3 names.txt >few.txt
refused "few.txt does not fit the model; not named: blocks.0" export --model trained.st \
  --names few.txt --out none.st
test ! -e none.st || fail "a refused import writes a file"
refused "Config::upsample is false and Config::stream 8, expected" train --data train.idx.gz \
  --hidden 4 --stream 8 --no-upsample --out none.st
refused "--stream and --head-relu-after are of residual blocks" train --data train.idx.gz \
  --model gated_pixel_cnn --stream 3 --out none.st
refused "--no-upsample, --padding-bias and --initial-state are of blocks with an LSTM" train --data train.idx.gz \
  --model pixel_cnn --padding-bias --out none.st

echo "== other blocks train and come back"
"$tool" train --data train.idx.gz --layers 1 --hidden 4 --stream 4 --no-upsample --padding-bias \
  --initial-state padded_scan --head-relu-after --steps 2 --epochs 1 --threads 1 --out other.st >/dev/null
"$tool" evaluate --model other.st --data test.idx >/dev/null
"$tool" inspect other.st >inspected.txt
grep -Eqx 'padding_bias +true' inspected.txt || fail "no padding bias: $(cat inspected.txt)"
"$tool" train --data train.idx.gz --resume other.st --epochs 2 --out other.st >/dev/null

echo "== the scripts do the same"
python=python3
if ! $python -c 'import numpy, safetensors' 2>/dev/null; then
  python=$PWD/venv/bin/python
  if ! { python3 -m venv venv && venv/bin/pip install -q safetensors numpy; } >pip.txt 2>&1; then
    test $failures -eq 0 || exit 1
    echo "no safetensors for Python: $(tail -n 1 pip.txt)"
    exit 77
  fi
fi
"$python" "$scripts/to_torch.py" ours.safetensors names.txt script_theirs.safetensors
"$python" "$scripts/from_torch.py" theirs.safetensors names.txt script_ours.safetensors
"$python" - <<'END' || fail "the scripts write other weights"
import numpy as np
from safetensors.numpy import load_file
for a, b in (("ours", "script_ours"), ("theirs", "script_theirs")):
    a, b = load_file(a + ".safetensors"), load_file(b + ".safetensors")
    assert a.keys() == b.keys(), sorted(a.keys() ^ b.keys())
    for name in a:
        assert a[name].shape == b[name].shape, (name, a[name].shape, b[name].shape)
        assert np.array_equal(a[name], b[name]), name
END
finish
