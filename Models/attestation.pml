/* The release of a secret on attestation, under an attacker who owns the host and the network.
 *
 * The attacker relays, drops, replays and mixes every message that he knows, opens sessions of his
 * own, runs workloads of his own in genuine TEEs, and has the root of the simulated TEE. What he
 * cannot do is stated as assumptions, each a macro that takes it away (README.md).
 * Cryptography is symbolic: a report is a tuple, a key is a name, and only its owner decrypts.
 */
/* Each is 1, or 0 to see what it is there for. */
#ifndef REPORTS_UNFORGEABLE
#define REPORTS_UNFORGEABLE 1
#endif
#ifndef MANIFEST_CHECKED_IN_GUEST
#define MANIFEST_CHECKED_IN_GUEST 1
#endif
#ifndef KEY_BOUND_IN_REPORT
#define KEY_BOUND_IN_REPORT 1
#endif
#ifndef NONCE_FRESH
#define NONCE_FRESH 1
#endif
#ifndef NONCE_USED_ONCE
#define NONCE_USED_ONCE 1
#endif
#ifndef VENDOR_ROOT_REQUIRED
#define VENDOR_ROOT_REQUIRED 1
#endif
#ifndef PLATFORM_IN_POLICY
#define PLATFORM_IN_POLICY 1
#endif
#ifndef WORKLOAD_IN_POLICY
#define WORKLOAD_IN_POLICY 1
#endif
#ifndef DEBUG_REFUSED
#define DEBUG_REFUSED 1
#endif
#ifndef RELEASED_ONCE
#define RELEASED_ONCE 1
#endif
#ifndef KEY_KEPT_IN_TEE
#define KEY_KEPT_IN_TEE 1
#endif
#ifndef BROKER_PINNED
#define BROKER_PINNED 1
#endif
#ifndef SHOW_RELEASE
#define SHOW_RELEASE 0
#endif

#define SESSIONS 2
#define STEPS 6    /* of the attacker: open, attest and release in each session */
#define NONE 0

/* Keys that secrets can be encrypted to. */
#define GUEST_KEY 1
#define ATTACKER_KEY 2

/* Values that the guest may be given. */
#define SECRET 1
#define FORGED 2

/* Nonce 1…SESSIONS belongs to that session of the broker; the last is one the attacker made up. */
#define STALE (SESSIONS + 1)

/* The honest guest's evidence that the attacker holds, by its nonce. */
bool honestReport[STALE + 1];

/* The broker's sessions. */
bool opened[SESSIONS + 1];
bool attempted[SESSIONS + 1];
byte accepted[SESSIONS + 1];  /* attestations that were accepted */
byte attestedKey[SESSIONS + 1];
byte released[SESSIONS + 1];
byte guestNonce = NONE;
byte guestValue = NONE;
bool attackerKnowsSecret = false;

/* What a report says; `genuine` is false under the simulated root. */
typedef Report {
  bool genuine;
  bool platform;     /* the launch digest is the release's */
  bool workload;     /* HOST_DATA is the workload digest that the policy names */
  bool debug;
  byte nonce;
  byte key
};
Report r;

/* Any report that the attacker can show. The honest platform and workload in a TEE that is not
 * debuggable sign only what the honest guest asks for; everything else he can have signed. */
inline chooseReport(n) {
  if
  :: honestReport[n] ->
     r.genuine = true; r.platform = true; r.workload = true; r.debug = false;
     r.nonce = n; r.key = GUEST_KEY
  :: r.genuine = false; r.platform = true; r.workload = true; r.debug = false;
     r.nonce = n; r.key = ATTACKER_KEY
  :: r.genuine = true; r.platform = false; r.workload = true; r.debug = false;
     r.nonce = n; r.key = ATTACKER_KEY
  :: r.genuine = true; r.platform = true; r.workload = false; r.debug = false;
     r.nonce = n; r.key = ATTACKER_KEY
  :: r.genuine = true; r.platform = true; r.workload = true; r.debug = true;
     r.nonce = n; r.key = ATTACKER_KEY
  :: !REPORTS_UNFORGEABLE ->
     r.genuine = true; r.platform = true; r.workload = true; r.debug = false;
     r.nonce = n; r.key = ATTACKER_KEY
  /* The right HOST_DATA, but the guest runs a manifest of the attacker's, which asks for keys
   * on his behalf. */
  :: !MANIFEST_CHECKED_IN_GUEST ->
     r.genuine = true; r.platform = true; r.workload = true; r.debug = false;
     r.nonce = n; r.key = ATTACKER_KEY
  fi
}

/* What must hold after every step. */
inline hold() {
  /* Secrecy. */
  assert(!attackerKnowsSecret);
  /* Injectivity: a nonce is good for one attestation, which is good for one release. */
  assert(accepted[1] <= 1 && accepted[2] <= 1);
  assert(released[1] <= 1 && released[2] <= 1);
  /* Authenticity: the guest takes nothing for a secret but what its owner's broker gave. */
  assert(guestValue != FORGED);
  /* Not vacuous: this must fail, since the honest guest can get its secret. */
  assert(!SHOW_RELEASE || guestValue != SECRET);
}

/* Agreement: whoever gets the secret of session s is the honest guest, which has bound that
 * session's nonce and its own key. */
inline agree(s) {
  assert(attestedKey[s] == GUEST_KEY && honestReport[s])
}

/* The broker's decision on report r, shown in session s with the key k. */
inline attest(s, k) {
  if
  :: opened[s] && (!NONCE_USED_ONCE || !attempted[s]) && (!NONCE_FRESH || r.nonce == s) &&
     (!VENDOR_ROOT_REQUIRED || r.genuine) && (!PLATFORM_IN_POLICY || r.platform) &&
     (!WORKLOAD_IN_POLICY || r.workload) && (!DEBUG_REFUSED || !r.debug) &&
     (!KEY_BOUND_IN_REPORT || r.key == k) ->
     attestedKey[s] = k; accepted[s]++
  :: else
  fi;
  attempted[s] = true
}

/* The secret, encrypted to the key of the session, passes the network. */
inline release(s) {
  if
  :: attestedKey[s] != NONE && (!RELEASED_ONCE || released[s] == 0) && released[s] < 2 ->
     released[s]++;
     agree(s);
     if
     :: attestedKey[s] == ATTACKER_KEY || !KEY_KEPT_IN_TEE -> attackerKnowsSecret = true
     :: else
     fi
  :: else
  fi
}

active proctype Guest() {
  /* It connects by way of the host, who decides where the bytes go. */
  if
  :: atomic { !opened[1] -> opened[1] = true; guestNonce = 1 }
  :: atomic { opened[1] && !opened[2] -> opened[2] = true; guestNonce = 2 }
  :: atomic {
       !BROKER_PINNED ->
       guestNonce = STALE; honestReport[STALE] = true; guestValue = FORGED; hold()
     };
     goto end
  fi;
  /* Evidence is no secret: the host sees it. */
  honestReport[guestNonce] = true;
  atomic {
    r.genuine = true; r.platform = true; r.workload = true; r.debug = false;
    r.nonce = guestNonce; r.key = GUEST_KEY;
    attest(guestNonce, GUEST_KEY);
    hold()
  };
  atomic {
    release(guestNonce);
    if
    :: released[guestNonce] > 0 && attestedKey[guestNonce] == GUEST_KEY -> guestValue = SECRET
    :: else
    fi;
    hold()
  };
end:
  skip
}

active proctype Attacker() {
  byte s, n, k, steps;
  do
  :: steps < STEPS ->
     atomic {
       steps++;
       select(s : 1 .. SESSIONS);
       if
       :: !opened[s] -> opened[s] = true
       :: opened[s] ->
          select(n : 1 .. STALE);
          chooseReport(n);
          if
          :: k = ATTACKER_KEY
          :: k = GUEST_KEY
          fi;
          attest(s, k)
       :: opened[s] -> release(s)
       fi;
       hold()
     }
  :: break
  od
}
