#!/usr/bin/env python3
"""One step of a coordinator's work by Python's imaplib and smtplib.

desk.py IMAP-PORT SMTP-PORT CERTIFICATE PASSWORD-FILE STEP ARGUMENT…

The certificate is the one that vouches for the server. Prints what the
server answered; exit 1 where it refused."""
import imaplib
import smtplib
import ssl
import sys

imap_port, smtp_port, certificate, password_file, step, *args = sys.argv[1:]
trust = ssl.create_default_context(cafile=certificate)
password = open(password_file).readline().rstrip("\n")


def imap(folder=None):
    server = imaplib.IMAP4_SSL("localhost", int(imap_port), ssl_context=trust, timeout=60)
    server.login("ana", password)
    if folder is not None:
        answered(server.select(f'"{folder}"'))
    return server


def answered(answer):
    status, data = answer
    if status != "OK":
        print(status, *[d.decode() for d in data])
        sys.exit(1)
    return data


def folders():
    for line in answered(imap().list()):
        print(line.decode())


def subscribed():
    for line in answered(imap().lsub()):
        print(line.decode())


def read(folder):
    server = imap(folder)
    for uid in answered(server.uid("SEARCH", None, "ALL"))[0].split():
        print(answered(server.uid("FETCH", uid, "(BODY.PEEK[])"))[0][1].decode())


def search(folder, *criteria):
    print(answered(imap(folder).uid("SEARCH", None, *criteria))[0].decode())


def copy(folder, uid, target):
    server = imap(folder)
    print(answered(server.uid("COPY", uid, f'"{target}"')), server.response("COPYUID"))


def move(folder, uid, target):
    server = imap(folder)
    print(answered(server.uid("MOVE", uid, f'"{target}"')), server.response("COPYUID"))


def flag(folder, uid, flags):
    print(answered(imap(folder).uid("STORE", uid, "+FLAGS", f"({flags})")))


def keep(folder, text):
    print(answered(imap().append(f'"{folder}"', "\\Draft", None, text.encode())))


def send(to, subject, text):
    with smtplib.SMTP_SSL("localhost", int(smtp_port), context=trust, timeout=60) as server:
        server.login("ana", password)
        sender = "ana@desk.vdp.example.org"
        try:
            server.sendmail(sender, [to], f"From: {sender}\r\nTo: {to}\r\nSubject: {subject}\r\n\r\n{text}\r\n".encode())
        except smtplib.SMTPRecipientsRefused as refused:
            print(refused)
            sys.exit(1)


globals()[step](*args)
