/* Views of colour pictures of faces, and how a reconstruction is compared with a picture: what both
 * stages of 3FabRec (Browatzki and Wallraven, CVPR 2020; Table 3 of the paper) stand on.
 *
 * Read scp/reference/faces.py first: the same in NumPy. */
#ifndef SCP_FACES_H
#define SCP_FACES_H

#include "scp/options.h"

#define SCP_FACE_CHANNELS 3
/* Red, green, blue: what is taken from a pixel / 255 (the released code; its deviations are 1). */
#define SCP_FACE_MEANS {0.518, 0.418, 0.361}

/* Geometry of a view, one draw per view: a point p of the picture, c its centre, comes to
 *     c + move + R(angle) H(shear) S (mirror(p) - c)
 * where H = [1 tan(shear); 0 1] and S scales each axis by itself. The view is the middle of that,
 * (picture - view) / 2 pixels from the corner, rounded down; outside the picture it is black. */
#define SCP_FACE_VIEW_ROWS(O, ROTATE, MOVE, SHRINK, GROW, SHEAR)                                   \
    O(REAL, flip, 0.5, 0, 1, "", "probability of left for right")                                  \
    O(REAL, rotate, ROTATE, 0, 180, "degrees", "the angle is uniform in +-rotate")                 \
    O(REAL, move, MOVE, 0, 0.5, "of the side", "the shift along each axis is uniform in +-move")   \
    O(REAL, shrink, SHRINK, 0, 0.9, "", "each axis times uniform in 1 - shrink .. 1 + grow")       \
    O(REAL, grow, GROW, 0, 2, "", "see shrink")                                                    \
    O(REAL, shear, SHEAR, 0, 45, "degrees", "the angle is uniform in +-shear")

struct scp_face_view_options {
    SCP_FACE_VIEW_ROWS(SCP_OPTION_FIELD, , , , , )
};

/* images[count][side][side][3], borrowed. */
struct scp_faces {
    const uint8_t *images;
    size_t count, side;
};

/* Of all faces, borrowed: points[count][landmarks][2], (x, y) in pixels, finite. Where a view is
 * mirrored, landmark l of the view is landmark swaps[l] of the picture. */
struct scp_face_labels {
    const float *points;
    const uint32_t *swaps; /* [landmarks] */
    size_t landmarks;      /* 0: no labels */
};

struct scp_face_batch {
    size_t items, side;
    float *images;     /* [items][side][side][3]: pixel / 255 - mean */
    float *points;     /* [items][landmarks][2], pixels of the view; below 0 they are 0 */
    uint32_t *sources; /* [items] */
};

#define SCP_FACE_MAX_SIDE 4096
#define SCP_FACE_MAX_LANDMARKS 1024

/* SCP_EINVAL: no faces, sides of the view and of the faces that do not fit, points that are not
 * finite, swaps that are not a permutation. labels may be NULL. */
enum scp_status scp_faces_check(const struct scp_faces *faces, const struct scp_face_labels *labels,
                                size_t side, const struct scp_control *control);

/* The views of a step: passes through shuffled faces of which the part that does not fill a batch
 * is left out; where there are fewer faces than items, passes follow each other without a gap. */
enum scp_status scp_face_sample(struct scp_face_batch *batch, const struct scp_faces *faces,
                                const struct scp_face_labels *labels,
                                const struct scp_face_view_options *options, uint64_t seed,
                                uint64_t step, const struct scp_control *control);

/* ---- structure ----
 *
 * The contrast and structure term of SSIM (Wang et al., IEEE Trans. Image Processing 13, 2004)
 * between images and reconstructions [items][side][side][3], side >= 31:
 *     cs = (2 cov(x, y) + C) / (var(x) + var(y) + C),   C = (0.03 L)^2
 * with moments under a Gaussian of sigma 1.5, cut to 31 x 31, where it lies inside the image; L is
 * 2 where a value of the image is below -0.5, else 1. Weights below 1e-9 of the largest are 0.
 *
 * *loss = mean over items of 1 - mean(cs). gradient (NULL: none), of the shape of the images, +=
 * scale * d loss / d reconstruction. */
#define SCP_STRUCTURE_WINDOW 31
enum scp_status scp_structure(double *loss, float *gradient, const float *images,
                              const float *reconstructions, size_t items, size_t side, double scale,
                              const struct scp_control *control);

#endif
