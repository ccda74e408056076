/* The texts of the status codes. */
#include "scp/status.h"

#include "scp/threads.h"

const char *scp_status_text(enum scp_status status) {
    switch (status) {
    case SCP_OK:
        return "success";
    case SCP_ENOMEM:
        return "out of memory";
    case SCP_EINVAL:
        return "invalid argument";
    case SCP_EINTERRUPTED:
        return "interrupted";
    case SCP_EINFEASIBLE:
        return "no answer satisfies the constraints";
    case SCP_EUNSUPPORTED:
        return "not supported by this CPU or build";
    case SCP_ETHREAD:
        return "a thread could not be started, or was lost to a fork";
    case SCP_STATUS_COUNT:
        break;
    }
    return "unknown status";
}

enum scp_status scp_invalid(const struct scp_control *control, const char *argument, size_t at,
                            const char *rule) {
    if (control && control->error) *control->error = (struct scp_error){argument, at, rule};
    return SCP_EINVAL;
}
