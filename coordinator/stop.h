// coordinator/stop.h -- places at which tests end the process, as a power cut would.
//
// Only in simulator builds, and only when CASEMATE_STOP names the place: "name" or "name:3", the third time.
// Source: coordinator.md D18 "Fault injection".
#ifndef CASEMATE_COORDINATOR_STOP_H
#define CASEMATE_COORDINATOR_STOP_H

#ifdef CASEMATE_SIMULATOR
void stop_here(const char *place);
#define STOP_POINT(place) stop_here(place)
#else
#define STOP_POINT(place) ((void)0)
#endif

#endif
