/* Key points of SURF: the fast-Hessian detector of Bay, Ess, Tuytelaars and Van Gool (Speeded-Up
 * Robust Features, CVIU 2008).
 *
 * Filters: layer k = 0 .. octave_layers + 1 of octave o has lobes of l = 2^(o+1) (k+1) + 1 pixels
 * and a side of 3 l: 9, 15, 21, ... then 15, 27, 39, ... An octave is sampled every 2^o pixels.
 * With the box sums S (exact integers) the response is
 *
 *     (Sxx Syy - 0.81 Sxy^2) / (5/3 l^2)^2
 *
 * that is, for the smallest filter, the determinant of differences of mean grey values; thresholds
 * compare to those of other implementations on 8-bit images. A key point is a response above the
 * threshold that is the largest of its 3 x 3 x 3 neighbours in place and layer (of equal ones the
 * first in the order layer, row, column); its place is that of the vertex of the quadratic through
 * them, and it is dropped when that lies more than one sample away. Only samples whose
 * neighbours' filters lie inside the image count. One thread; the same bits on every machine. */
#ifndef SCP_SURF_H
#define SCP_SURF_H

#include <stddef.h>
#include <stdint.h>

#include "scp/status.h"
#include "scp/threads.h"

#define SCP_SURF_MAX_SIDE 4095 /* of a filter: its box sums fit 32 bits */

struct scp_surf_options {
    double threshold;       /* >= 0 and finite */
    unsigned octaves;       /* >= 1 */
    unsigned octave_layers; /* >= 1: layers of an octave in which key points may lie */
};

struct scp_surf_point {
    double x, y;     /* pixels, centres at integers */
    double side;     /* of the filter, pixels; the scale is 1.2 / 9 of it */
    double response; /* at the sample, not interpolated */
};

/* Finds the key points of image[height][width] in the order octave, row, layer, column. *points is
 * for scp_free to free, also when *count is 0; both are set on success only.
 * SCP_EINVAL: a zero size, a size beyond 2^24 pixels a side, or options outside their limits
 * (including a largest filter beyond SCP_SURF_MAX_SIDE). SCP_ENOMEM, SCP_EINTERRUPTED. */
enum scp_status scp_surf_detect(struct scp_surf_point **points, size_t *count, const uint8_t *image,
                                size_t height, size_t width, const struct scp_surf_options *options,
                                const struct scp_control *control);

#endif
