#ifndef DRAYAGE_CYAML_H
#define DRAYAGE_CYAML_H

#include <yaml.h>

#endif
