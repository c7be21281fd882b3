# A data set in MNIST's format, for the tests of trainers to source.

# Images of 2 x 2 pixels and 3 classes: class k has pixel k bright.
write_part() { # PART COUNT
  local images='' labels='' i k row=("\xf0\x10\x08\x20" "\x10\xe0\x18\x10" "\x08\x10\xf8\x00") size
  for ((i = 0; i < $2; ++i)); do
    k=$(((i * 7 + i / 3) % 3))
    images+=${row[k]}
    labels+="\\x0$k"
  done
  size=$(printf '\\x00\\x00\\x%02x\\x%02x' $(($2 / 256)) $(($2 % 256)))
  printf '%b' "\x00\x00\x08\x03$size\x00\x00\x00\x02\x00\x00\x00\x02$images" >"data/$1-images-idx3-ubyte"
  printf '%b' "\x00\x00\x08\x01$size$labels" >"data/$1-labels-idx1-ubyte"
}
