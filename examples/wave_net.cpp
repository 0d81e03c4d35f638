// SPDX-License-Identifier: MIT
// Sound: a WaveNet learns plucked notes, or a WAV file, and plays on for as long as it is asked.
//   example_wave_net [LEARN.wav PLAY.wav SECONDS EPOCHS]
#include <cmath>
#include <iostream>
#include <numbers>
#include <string>

#include <pixelrnn/io/wav.hpp>
#include <pixelrnn/pixelrnn.hpp>

using namespace pixelrnn;

/// Notes of a pentatonic scale, eight a second, each with an overtone and fading.
Sound plucked_notes(Index seconds, Rng& rng) {
  Sound sound{{}, 1, 8000};
  const int steps[] = {0, 2, 4, 7, 9, 12};
  for (Index note = 0; note < 8 * seconds; ++note) {
    const double pitch = 220 * std::pow(2, steps[rng.below(6)] / 12.0);
    for (int i = 0; i < 1000; ++i) {
      const double t = i / 8000.0, phase = 2 * std::numbers::pi * pitch * t;
      const double value = (std::sin(phase) + 0.3 * std::sin(2 * phase)) * std::exp(-12 * t);
      sound.samples.push_back(static_cast<float>(0.6 * value));
    }
  }
  return sound;
}

int main(int argc, char** argv) {
  const bool is_given = argc == 5;
  Rng rng(1);
  const Sound sound = is_given ? read_wav(argv[1]) : plucked_notes(24, rng);
  const Index epochs = is_given ? std::stol(argv[4]) : 10;
  const Images pieces = pieces_of(sound, 2000);  // levels of the mu-law
  const Index held_out = pieces.count() / 8;

  WaveNet<> model({.image = pieces.image_shape(), .layers = 9, .hidden = 24, .cycle = 9}, rng);
  Trainer trainer(model, Adam{.learning_rate = 4e-3},
                  {.clip_norm = 1000, .schedule = cosine_rate(pieces.count() / 4 * epochs)});
  trainer.fit(pieces.slice(held_out, pieces.count() - held_out),
              {.epochs = epochs, .batch_size = 4});
  const double bits = evaluate(model, pieces.slice(0, held_out)).bits_per_dim();
  std::cout << bits << " bits a held-out sample of 8\n";

  // A sample at a time, in the memory of what the layers' taps reach: nothing grows.
  const Index seconds = is_given ? std::stol(argv[3]) : 1;
  const Companding mu;
  Sound played{{}, 1, sound.rate};
  Walker walker(model, {.width = WalkerOptions::endless});
  for (Index t = 0; t < seconds * played.rate; ++t) {
    const Multinomial rule;
    const int level = rule.draw(walker.next(), keyed_uniform(7, 0, t, 0), {});
    walker.put(static_cast<Images::Level>(level));
    played.samples.push_back(mu.sample(level));
  }
  const char* const path = is_given ? argv[2] : "wave_net.wav";
  write_wav(path, played);
  std::cout << "wrote " << path << ": " << played.frames() << " samples\n";
  return is_given || bits < 4 ? 0 : 1;
}
