// SPDX-License-Identifier: MIT
#include <algorithm>
#include <string>
#include <vector>

#include <pixelrnn/kernels/reference.hpp>
#include <pixelrnn/taps/pieces.hpp>

#include "support/catch.hpp"
#include "support/layer_checks.hpp"

using namespace pixelrnn;
using kernels::Reference;
using test::random_map;

namespace {

const std::vector<Shape<4>> batches{{1, 1, 1, 1}, {3, 5, 2, 4},  {1, 40, 7, 1}, {20, 1, 3, 2},
                                    {7, 9, 1, 3}, {2, 3, 70, 2}, {0, 4, 4, 1},  {4, 0, 4, 1}};
constexpr Padding no_padding{};
const std::vector<Padding> paddings{
    {1, 0, 0, 0}, {0, 0, 1, 0}, {2, 0, 3, 1}, {0, 2, 1, 3}, {9, 9, 9, 9}};

/// x at (r, j, channel) of an image, 0 outside it; max(x, 0) of it if asked for.
double expected_at(const FeatureMap<double>& map, Index image, Index r, Index j, Index channel,
                   bool relu) {
  if (r < 0 || r >= map.shape().h() || j < 0 || j >= map.shape().w()) return 0;
  const double v = map(image, r, j, channel);
  return relu ? std::max(v, 0.0) : v;
}

struct Covered {
  std::vector<int> visits;  ///< of each pixel of the batch
  std::string wrong;        ///< the first value that is not the image's
};
/// Reads every frame of a batch at every offset the padding covers.
Covered read_frames(const FeatureMap<double>& map, const Padding& pad, bool relu) {
  const Shape<4> s = map.shape();
  const Pieces pieces(s);
  Covered covered{std::vector<int>(static_cast<std::size_t>(s.n() * s.h() * s.w()), 0), {}};
  const Index size = frame_size(pieces, s.c(), pad);
  for (Index chunk = 0; chunk < pieces.chunks.size(); ++chunk) {
    // As large as it says and no larger, so that a sanitizer sees more; filled with what is wrong.
    std::vector<double> room(static_cast<std::size_t>(size), 1e300);
    const auto read = [&](const Frame<double>& frame, Index first_pixel) {
      for (Index line = 0; line < frame.lines; ++line) {
        for (Index p = 0; p < frame.pixels; ++p) {
          const Index pixel = first_pixel + line * s.w() + p;
          ++covered.visits.at(static_cast<std::size_t>(pixel));
          const Index image = pixel / (s.h() * s.w()), r = pixel / s.w() % s.h(), j = pixel % s.w();
          for (Index dy = -pad.above; dy <= pad.below; ++dy) {
            for (Index dx = -pad.left; dx <= pad.right; ++dx) {
              for (Index c = 0; c < s.c(); ++c) {
                const double got = frame.at(line, dy, dx)[p * s.c() + c];
                if (covered.wrong.empty() &&
                    got != expected_at(map, image, r + dy, j + dx, c, relu)) {
                  covered.wrong = "pixel " + std::to_string(pixel) + " at " + std::to_string(dy) +
                                  ", " + std::to_string(dx) + ": " + std::to_string(got);
                }
              }
            }
          }
        }
      }
    };
    for_each_frame<Reference>(map.data(), s.c(), pieces, chunk, pad, relu, room.data(), read);
  }
  return covered;
}

}  // namespace

TEST_CASE("Pieces cover each row of a batch once, and none crosses an image", "[nn][pieces]") {
  for (const Shape<4>& s : batches) {
    CAPTURE(s);
    const Pieces pieces(s);
    Index row = 0;
    for (Index chunk = 0; chunk < pieces.chunks.size(); ++chunk) {
      const Index before = row;
      pieces.for_each(chunk, [&](const Piece& piece) {
        CHECK(piece.image * s.h() + piece.first_row == row);
        CHECK(piece.first_pixel == row * s.w());
        CHECK(piece.first_row >= 0);
        CHECK(piece.first_row < piece.last_row);
        CHECK(piece.last_row <= s.h());
        row += piece.last_row - piece.first_row;
      });
      CHECK(row > before);
    }
    CHECK(row == s.n() * s.h());
  }
}

TEST_CASE("A chunk that crosses an image is several pieces", "[nn][pieces]") {
  const Pieces pieces({3, 3, 2, 1});  // nine rows in eight chunks: one has two
  std::vector<std::string> found;
  for (Index chunk = 0; chunk < pieces.chunks.size(); ++chunk) {
    pieces.for_each(chunk, [&](const Piece& p) {
      found.push_back(std::to_string(chunk) + ": " + std::to_string(p.image) + ", " +
                      std::to_string(p.first_row) + ".." + std::to_string(p.last_row));
    });
  }
  CHECK(found == std::vector<std::string>{"0: 0, 0..1", "1: 0, 1..2", "2: 0, 2..3", "3: 1, 0..1",
                                          "4: 1, 1..2", "5: 1, 2..3", "6: 2, 0..1", "7: 2, 1..3"});
  const Pieces two({20, 1, 1, 1});
  Index most = 0;
  for (Index chunk = 0; chunk < two.chunks.size(); ++chunk) {
    Index count = 0;
    two.for_each(chunk, [&](const Piece&) { ++count; });
    most = std::max(most, count);
  }
  CHECK(most == 3);
}

TEST_CASE("Frames hold the image where it is and zeros around it", "[nn][pieces]") {
  for (const Shape<4>& s : batches) {
    const FeatureMap<double> map = random_map<double>(s, 1);
    for (const bool relu : {false, true}) {
      for (const Padding& pad : paddings) {
        CAPTURE(s, relu, pad.above, pad.below, pad.left, pad.right);
        const Covered covered = read_frames(map, pad, relu);
        CHECK(covered.wrong == "");
        CHECK(std::all_of(covered.visits.begin(), covered.visits.end(),
                          [](int visits) { return visits == 1; }));
      }
    }
  }
}

TEST_CASE("Frames without padding cover each pixel once, few at a time", "[nn][pieces]") {
  for (const Shape<4>& s : batches) {
    const FeatureMap<double> map = random_map<double>(s, 1);
    for (const bool relu : {false, true}) {
      CAPTURE(s, relu);
      const Covered covered = read_frames(map, no_padding, relu);
      CHECK(covered.wrong == "");
      CHECK(std::all_of(covered.visits.begin(), covered.visits.end(),
                        [](int visits) { return visits == 1; }));
    }
  }
}

TEST_CASE("Reading frames reports a value that is not the image's", "[nn][pieces]") {
  const Shape<4> s{2, 3, 4, 2};
  const FeatureMap<double> map = random_map<double>(s, 1);
  const Pieces pieces(s);
  // The rows of image 1, framed as if it were image 0's.
  std::vector<double> room(static_cast<std::size_t>(frame_size(pieces, 2, {1, 1, 1, 1})));
  const Frame<double> frame = padded_frame<Reference>(map.data() + map.size() / 2, 2, pieces, 0, 3,
                                                      {1, 1, 1, 1}, false, room.data());
  CHECK(frame.at(0, 0, 0)[0] != expected_at(map, 0, 0, 0, 0, false));
  CHECK(frame.at(0, 0, 0)[0] == expected_at(map, 1, 0, 0, 0, false));
}

TEST_CASE("A pixel of another row is zero only outside the image", "[nn][pieces]") {
  const FeatureMap<double> map = random_map<double>({1, 4, 3, 1}, 1, 0.5, 1);
  const Pieces pieces(map.shape());
  const Padding pad{2, 1, 1, 1};
  std::vector<double> room(static_cast<std::size_t>(frame_size(pieces, 1, pad)));
  const Frame<double> frame =
      padded_frame<Reference>(map.data(), 1, pieces, 1, 3, pad, false, room.data());
  CHECK(frame.lines == 2);
  CHECK(frame.pixels == 3);
  CHECK(frame.at(0, -1, 0)[0] == map(0, 0, 0, 0));  // of the image, though not of the frame
  CHECK(frame.at(1, 1, 0)[2] == map(0, 3, 2, 0));
  CHECK(frame.at(0, -2, 0)[0] == 0);
  CHECK(frame.at(0, 0, -1)[0] == 0);
  CHECK(frame.at(0, 0, 1)[2] == 0);
}

TEST_CASE("Without padding pixels are read in place, unless max(x, 0) is wanted", "[nn][pieces]") {
  const FeatureMap<double> map = random_map<double>({1, 2, 150, 3}, 1);
  const Pieces pieces(map.shape());
  std::vector<double> room(static_cast<std::size_t>(frame_size(pieces, 3, no_padding)), -7);
  std::vector<Index> pixels;
  const auto frames = [&](bool relu, auto&& check) {
    for_each_frame<Reference>(map.data(), 3, pieces, 1, no_padding, relu, room.data(), check);
  };
  frames(false, [&](const Frame<double>& frame, Index first) {
    CHECK(frame.origin == map.data() + first * 3);
    pixels.push_back(frame.pixels);
  });
  CHECK(pixels == std::vector<Index>{frame_pixels, 150 - frame_pixels});
  CHECK(std::all_of(room.begin(), room.end(), [](double v) { return v == -7; }));
  frames(true, [&](const Frame<double>& frame, Index) { CHECK(frame.origin == room.data()); });
}

TEST_CASE("A transposed convolution is padded where the convolution was not", "[nn][pieces]") {
  const Padding mirrored = Padding{1, 2, 3, 4}.mirrored();
  CHECK(mirrored.above == 2);
  CHECK(mirrored.below == 1);
  CHECK(mirrored.left == 4);
  CHECK(mirrored.right == 3);
  CHECK(Padding{}.none());
  CHECK_FALSE(Padding{.above = 1}.none());
  CHECK_FALSE(Padding{.below = 1}.none());
  CHECK_FALSE(Padding{.left = 1}.none());
  CHECK_FALSE(Padding{.right = 1}.none());
}
