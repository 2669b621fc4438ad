"""Certificates: authorities, enrolment, renewal, revocation."""
