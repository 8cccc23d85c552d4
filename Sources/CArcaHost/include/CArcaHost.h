#pragma once

#include "arca_archive.h"
#include "arca_cpuid.h"
#include "arca_connect.h"
#include "arca_attributes.h"
#include "arca_namespace.h"
#include "arca_network.h"
#include "arca_process.h"
#include "arca_socket.h"
