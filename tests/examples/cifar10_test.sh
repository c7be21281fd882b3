#!/usr/bin/env bash
# The trainer `cifar10` on a small data set of its format: what it learns, resumes and refuses.
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
cifar10=$(example cifar10)

# Images of class k have channel k alone.
plane() { head -c 1024 /dev/zero | tr '\0' "\\$1"; }
image() { printf '%b' "\\x0$1" && plane "$2" && plane "$3" && plane "$4"; } # LABEL RED GREEN BLUE
mkdir -p share/altmin/cifar10
cd share/altmin/cifar10
{ image 0 360 010 020 && image 1 030 350 010 && image 2 020 010 370; } >some
for i in 1 2 3 4 5; do cat some some some some some some some some >data_batch_$i.bin; done
cat some some >test_batch.bin
cd "$work"

train() { "$cifar10" --hidden 8 --batch 20 --learning-rate 0.01 --schedule constant --quiet "$@" >out 2>err; }

for model in mlp sign; do
  train --model $model --epochs 10 || fail "$model"
  [[ $(field model) == "\"$model\"" && $(field steps) -eq 60 && $(field samples) -eq 120 ]] || fail "report of $model"
  [[ $(field parameters) -eq 24690 ]] || fail "parameters of $model" # 3072 * 8 + 8, 8 + 8, 8 * 10 + 10
  [[ $(field test_accuracy) == 1.0 ]] || fail "$model does not learn"
done

train --model vgg --epochs 1 || fail "vgg"
[[ $(field parameters) -eq 308394 ]] || fail "parameters of vgg"

# Augmented or not: the same bytes from any number of threads, and after a stop, also within an epoch.
train --epochs 4 --save plain || fail "plain"
train --augment --epochs 4 --save whole --threads 1 || fail "whole"
! cmp -s plain whole || fail "nothing is augmented"
train --augment --epochs 2 --save part || fail "part"
train --resume part --epochs 4 --save part --threads 2 || fail "resume"
cmp whole part || fail "a resumed run ends otherwise"
refused '^cifar10: --augment: expected true, as in part, got false$' train --resume part --no-augment

cp -r share/altmin/cifar10 data
image c 0 0 0 >>data/data_batch_4.bin
refused 'data_batch_4.bin, record 24: expected a label in 0 .. 9, got' train --data data
head -c -1 data/test_batch.bin >short && mv short data/test_batch.bin
cp share/altmin/cifar10/data_batch_4.bin data
refused 'test_batch.bin, record 5: expected 3073 bytes, got the end after 3072' train --data data
refused 'data_batch_1.bin: expected a file to read, got: No such file' train --data nowhere
refused 'mlp' train --model transformer
rm -r share
refused 'examples/download.sh cifar10' train
