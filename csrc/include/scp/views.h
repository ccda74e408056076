/* Views: distorted copies of an image, what every training sees in place of the image itself.
 *
 * Everything drawn for a view depends on (seed, step, item) only: never on the number of threads,
 * on the order of calls or on what a run did before. Its twin is scp/reference/sampling.py. */
#ifndef SCP_VIEWS_H
#define SCP_VIEWS_H

#include "scp/options.h"

/* The transforms of a view, in the order in which they act; side = the shorter side of the view.
 * Geometry: source = origin + c + zoom * R(angle) * mirror * (o - c) + shift + elastic(o), for a
 * pixel o of the view with centre c = (side - 1) / 2; the source is read once, interpolated.
 *
 *     ROTATION        angle: uniform in +-strength degrees
 *     SCALE           zoom: exp(uniform in +-strength)
 *     TRANSLATION     shift, each axis: uniform in +-strength * side
 *     FLIP            left for right, with probability strength
 *     ELASTIC         sd of the normal shifts, strength * side, of a grid of g x g nodes, g = 3 to
 *                     6, from corner to corner of the view; Catmull-Rom between them
 *     BLUR            x + v * (blurred - x), v uniform in +-strength (below 0 it sharpens);
 *                     blurred: 1 4 6 4 1 along both axes. Here and below: clipped to 0 .. 1
 *     BRIGHTNESS      x * (1 + uniform in +-strength)
 *     CONTRAST        mean + (1 + uniform in +-strength) * (x - mean)
 *     GAMMA           x ^ exp(uniform in +-strength)
 *     SHADE_MULTIPLY  x * (1 + strength * field); field: 3 x 3 nodes as above
 *     SHADE_ADD       x + strength * field
 *     NOISE           sd uniform in 0 .. strength; the bell of a sum of four bytes
 *
 * T(enumerator, name, largest strength, first strength of the features' image view, of their crop
 * view, of refinement, unit, meaning) */
#define SCP_TRANSFORM_ROWS(T)                                                                      \
    T(ROTATION, rotation, 180, 0, 20, 15, "degrees", "the angle is uniform in +-strength")         \
    T(SCALE, scale, 1.5, 0, 0.2, 0.15, "", "the zoom is exp of uniform in +-strength")             \
    T(TRANSLATION, translation, 0.5, 0, 0, 0.05, "of the side",                                    \
      "the shift is uniform in +-strength")                                                        \
    T(FLIP, flip, 1, 0, 0, 0, "", "probability of left for right")                                 \
    T(ELASTIC, elastic, 0.1, 0, 0.013, 0.013, "of the side",                                       \
      "sd of the shifts of a 3..6 x 3..6 grid")                                                    \
    T(BLUR, blur, 1, 0.7, 0.7, 0.7, "",                                                            \
      "v uniform in +-strength: blurred where v > 0, sharpened where v < 0")                       \
    T(BRIGHTNESS, brightness, 1, 0.15, 0.15, 0.15, "", "factor 1 + uniform in +-strength")         \
    T(CONTRAST, contrast, 1, 0.25, 0.25, 0.25, "",                                                 \
      "factor 1 + uniform in +-strength about the mean")                                           \
    T(GAMMA, gamma, 3, 0.5, 0.5, 0.5, "", "exponent exp of uniform in +-strength")                 \
    T(SHADE_MULTIPLY, shade_multiply, 1, 0.15, 0.15, 0.15, "",                                     \
      "times 1 + strength * a smooth normal field (3 x 3 grid)")                                   \
    T(SHADE_ADD, shade_add, 1, 0.08, 0.08, 0.08, "",                                               \
      "plus strength * a smooth normal field (3 x 3 grid)")                                        \
    T(NOISE, noise, 1, 0.04, 0.04, 0.04, "", "sd uniform in 0..strength (images are 0..1)")

#define SCP_TRANSFORM_ENUMERATOR(enumerator, ...) SCP_##enumerator,
enum scp_transform { SCP_TRANSFORM_ROWS(SCP_TRANSFORM_ENUMERATOR) SCP_TRANSFORMS };

enum scp_view_kind { SCP_VIEW_IMAGE = 0, SCP_VIEW_CROP = 1, SCP_VIEWS = 2 };

#define SCP_INTERPOLATION_NAMES(N)                                                                 \
    N(SCP_INTERPOLATION_BILINEAR, "bilinear") N(SCP_INTERPOLATION_CUBIC, "cubic")
#define SCP_BORDER_NAMES(N) N(SCP_BORDER_CONSTANT, "constant") N(SCP_BORDER_REPLICATE, "replicate")
enum scp_interpolation { SCP_INTERPOLATION_NAMES(SCP_CHOICE_ENUMERATOR) SCP_INTERPOLATIONS };
enum scp_border { SCP_BORDER_NAMES(SCP_CHOICE_ENUMERATOR) SCP_BORDERS };

#define SCP_VIEW_ROWS(O)                                                                           \
    O(CHOICE, interpolation, SCP_INTERPOLATION_BILINEAR, SCP_INTERPOLATION_NAMES,                  \
      "of warped views: bilinear or cubic (Catmull-Rom)")                                          \
    O(CHOICE, border, SCP_BORDER_CONSTANT, SCP_BORDER_NAMES,                                       \
      "outside the image: constant (0) or replicate")

struct scp_view_options {
    SCP_VIEW_ROWS(SCP_OPTION_FIELD)
    float strength[SCP_VIEWS][SCP_TRANSFORMS]; /* 0: off; a training with one view reads [0] */
};

/* Grey images[count][height][width] in 0 .. 1, borrowed. */
struct scp_pool {
    const float *images;
    size_t count, height, width;
};

#endif
